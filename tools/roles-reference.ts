/* docs/reference/roles.md: the roles of the catalog, and what became of each where it was built, booted and tested. */
import { hostPath } from '../src/base/types.ts';
import { readCatalogFolder } from '../src/catalog/folder.ts';
import { testedRows, type Standing, type TestedRow } from '../src/catalog/tested.ts';
import { loadRole } from '../src/roles/load.ts';
import type { RoleHead, RoleParameter } from '../src/roles/schema.ts';
import { DEFAULT_RELEASES, type RoleCase } from '../tests/system/roles/case.ts';
import { allCases } from '../tests/system/roles/cases.ts';

/** The base on which sizes and times are compared. */
const BASE = 'debian-13';

interface KnownRole {
  readonly head: RoleHead;
  readonly rows: readonly (TestedRow & { readonly standing: Standing })[];
  readonly cases: readonly RoleCase[];
}

export async function rolesPage(note: string): Promise<string> {
  const [{ roles }, cases] = await Promise.all([readCatalogFolder(), allCases()]);
  const known = Object.entries(roles).map(([name, files]): KnownRole => {
    const { head } = loadRole({ origin: 'the catalog', file: hostPath(`/catalog/roles/${name}/role.yaml`), files });
    return { head, rows: testedRows(files), cases: cases.filter(({ role }) => role === name) };
  });
  const blocks = [
    note,
    '# Roles',
    'What each is and how it is used stands in the README beside it. [Roles](../roles.md) says how they work and how one is written.',
    table(
      ['Role', 'What it is', 'Families', 'Needs', 'Not with'],
      known.map(({ head }) => overview(head)),
    ),
    '## What was built, booted and tested',
    'Written by `tests/system/full/roles.test.ts`, which builds an image with the role, boots it, and runs the role\'s tests in the guest. "not run" also says that the role has changed since. Where the software can only be had from its vendor, small packages of the same names, units and binaries stood for it: that shows the order, the files and the wiring, and **was not run against upstream packages**; it counts as nothing else and has columns of its own. Families other than Debian are written from facts and were not booted.',
    table(['Role', 'Case', ...DEFAULT_RELEASES, ...DEFAULT_RELEASES.map((release) => `${release}, stand-in`)], known.flatMap(resultRows)),
    `## Sizes and times on ${BASE}`,
    "The role's layer as it is stored (compressed), and the seconds that it took to make on two cores, downloading included.",
    table(['Role', 'Case', 'Layer', 'Time'], known.flatMap(sizeRows)),
    ...known.flatMap(({ head }) => parameterBlocks(head)),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function overview({ role, summary, families, requires, conflicts, except }: RoleHead): string[] {
  const lacks = Object.keys(except).length === 0 ? '' : ` (not ${Object.keys(except).join(', ')})`;
  const needs = requires.map((choice) => (typeof choice === 'string' ? choice : choice.join(' or '))).join(', ');
  return [`[${role}](../../catalog/roles/${role}/README.md)`, summary, `${families.join(', ')}${lacks}`, needs, conflicts.join(', ')];
}

function resultRows({ head, rows, cases }: KnownRole): string[][] {
  return cases.map((one) => {
    const variant = one.variant ?? 'default';
    const releases = one.releases ?? DEFAULT_RELEASES;
    const cell = (release: string, standIn: boolean): string => {
      if ((one.standIn !== undefined) !== standIn || head.except[release] !== undefined || !releases.includes(release)) return '';
      return standingText(rows.find((row) => row.release === release && row.variant === variant));
    };
    return [head.role, variant, ...DEFAULT_RELEASES.map((release) => cell(release, false)), ...DEFAULT_RELEASES.map((release) => cell(release, true))];
  });
}

function standingText(row: KnownRole['rows'][number] | undefined): string {
  if (row === undefined || row.standing === 'stale') return 'not run';
  if (!row.built) return '**not built**';
  if (!row.booted) return '**built, not booted**';
  const passed = `built, booted, ${row.passed} tests passed`;
  return row.failed.length === 0 ? passed : `${passed}, **${row.failed.length} failed**`;
}

function sizeRows({ head, rows }: KnownRole): string[][] {
  return rows
    .filter(({ release, built }) => release === BASE && built)
    .map(({ variant, bytes, seconds, standIn }) => [
      head.role,
      `${variant}${standIn ? ' (stand-in)' : ''}`,
      `${(bytes / 2 ** 20).toFixed(1)} MiB`,
      `${seconds.toFixed(1)} s`,
    ]);
}

function parameterBlocks({ role, summary, parameters }: RoleHead): string[] {
  const names = Object.entries(parameters);
  const about =
    names.length === 0
      ? 'It takes no parameters.'
      : table(
          ['Parameter', 'Type', 'Default', 'Meaning'],
          names.map(([name, parameter]) => parameterRow(name, parameter)),
        );
  return [`## ${role}`, `${summary}.`, about];
}

function parameterRow(name: string, { type, default: value, values, pattern, description }: RoleParameter): string[] {
  const kind = values === undefined ? type : values.map((each) => code(String(each))).join(', ');
  const shown = value === undefined ? 'required' : code(Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value));
  return [code(name), `${kind}${pattern === undefined ? '' : `, ${code(pattern)}`}`, shown, description];
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
