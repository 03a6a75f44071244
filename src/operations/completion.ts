import * as z from 'zod';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { completionOf } from '../completion/model.ts';
import { zshScript } from '../completion/zsh.ts';
import { defineOperation } from './operation.ts';
import { loadOperation, REGISTRY } from './registry.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export default defineOperation({
  name: 'completion',
  summary: 'Print a completion script for a shell',
  kind: 'query',
  input: z.strictObject({
    shell: z.enum(['bash', 'zsh', 'fish']).describe('The shell').meta({ positional: true }),
  }),
  output: z.object({ shell: z.string(), script: z.string() }),
  examples: [
    { command: 'source <(ingot completion bash)', does: 'in ~/.bashrc; the same with zsh in ~/.zshrc' },
    { command: 'ingot completion fish | source', does: 'in ~/.config/fish/config.fish' },
  ],
  async run({ shell }) {
    const commands = await Promise.all(Object.keys(REGISTRY).map(async (name) => completionOf(await loadOperation(name))));
    return { shell, script: SCRIPTS[shell](commands) };
  },
  render: ({ script }) => script,
});
