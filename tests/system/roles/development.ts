import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [
  { role: 'development' },
  {
    role: 'development',
    variant: 'all-languages',
    parameters: {
      languages: ['c', 'python', 'go', 'node', 'rust', 'java', 'php', 'ruby', 'perl'],
      editors: ['vim', 'nano', 'emacs', 'neovim'],
    },
  },
];
