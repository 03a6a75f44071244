import { readFile } from 'node:fs/promises';

const FILE = new URL('../../catalog/roles/hardened/files/rules', import.meta.url);

/** What a rule can set, as files/rules says. */
export const SETTING_KINDS = ['sshd', 'sysctl', 'module', 'conf', 'line', 'mode', 'mount', 'unit', 'audit', 'audit-x86', 'nopackage', 'do', 'check'];

export interface HardenedRule {
  readonly id: string;
  readonly level: number;
  readonly cis: string;
  readonly says: string;
  readonly needs?: string;
  readonly families: readonly string[];
  readonly settings: readonly { readonly kind: string; readonly rest: string }[];
}

/** The rules of the role hardened, as its file says, in its order. */
export async function hardenedRules(): Promise<HardenedRule[]> {
  const sections = (await readFile(FILE, 'utf8')).split(/^\[/m).slice(1);
  return sections.map((section) => {
    const [head = '', ...body] = section.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const lines = body.map((line) => ({ kind: line.split(' ')[0] ?? '', rest: line.slice(line.indexOf(' ') + 1) }));
    const word = (key: string): string | undefined => lines.find(({ kind }) => kind === key)?.rest;
    const needs = word('needs');
    return {
      id: head.slice(0, -1),
      level: Number(word('level')),
      cis: word('cis') ?? '',
      says: word('says') ?? '',
      ...(needs === undefined ? {} : { needs }),
      families: word('families')?.split(' ') ?? [],
      settings: lines.filter(({ kind }) => !['level', 'cis', 'says', 'needs', 'families'].includes(kind)),
    };
  });
}

/** The table of the README. */
export function rulesTable(rules: readonly HardenedRule[]): string {
  const rows = rules.map(({ id, level, cis, says, needs, families, settings }) => {
    const where = families.length > 0 ? ` (${families.join(', ')})` : '';
    const after = needs === undefined ? '' : ` (needs ${needs})`;
    return `| \`${id}\` | ${level} | ${cis} | ${says}${where}${after} | ${shownSettings(settings)} |`;
  });
  return ['| rule | level | topic | says | sets |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

/** One line for each kind, with what of it is set. */
function shownSettings(settings: HardenedRule['settings']): string {
  const kinds = Map.groupBy(
    settings.filter(({ kind }) => kind !== 'check'),
    ({ kind }) => kind,
  );
  const texts = [...kinds].map(([kind, all]) => `${kind} ${all.map(({ rest }) => `\`${rest.replaceAll('|', '\\|')}\``).join(', ')}`);
  return texts.length === 0 ? 'only verified' : texts.join('; ');
}
