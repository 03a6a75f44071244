/* docs/reference/packages.md: every package and repository of the catalog, made from catalog/packages and catalog/repositories. */
import { readCatalogFolder, readPackageFolder } from '../src/catalog/folder.ts';
import { FAMILIES, type FamilyName } from '../src/catalog/families.ts';
import { type NativeEntry, type PackageCategory } from '../src/catalog/packages.ts';
import type { CatalogRepository } from '../src/catalog/repositories.ts';

export async function packagesPage(note: string): Promise<string> {
  const [categories, { repositories }] = await Promise.all([readPackageFolder(), readCatalogFolder()]);
  const sources = new Map<string, number>();
  const tables = categories.map((category) => categoryBlocks(category, sources));
  const count = categories.reduce((sum, { packages }) => sum + packages.length, 0);
  const blocks = [
    note,
    '# Packages',
    `${count} packages in ${categories.length} categories. A template or a role writes the name of the first column, and the family gets its own; see [packages](../packages.md). \`-\` where a family lacks it, with what it has instead.`,
    `Debian's names are compared with the package lists of bookworm, trixie and sid by \`tests/system/full/package-names.test.ts\`, which anyone can run again. For the other families the number behind a name leads to [where it was seen](#where-the-names-were-seen); a name without a number was not checked by anyone.`,
    ...tables.flat(),
    '## Repositories',
    'Those that packages and roles bring besides what a distribution has by itself. Every key that is fetched must have one of the fingerprints; `ingot catalog repositories NAME` shows them.',
    table(
      ['Repository', 'What it has', 'Families', 'Keys', 'Facts from'],
      repositories.map((repository) => [
        code(repository.repository),
        repository.summary,
        Object.keys(repository.families).join(', '),
        keysOf(repository),
        repository.source,
      ]),
    ),
    '## Where the names were seen',
    [...sources].map(([source, number]) => `${number}. ${source}`).join('\n'),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function categoryBlocks({ category, summary, packages }: PackageCategory, sources: Map<string, number>): string[] {
  const notes = packages.flatMap(({ name, note }) => (note === undefined ? [] : [`- ${code(name)}: ${note}`]));
  return [
    `## ${category}`,
    `${summary}.`,
    table(
      ['Name', 'What it is', ...FAMILIES.map((family) => TITLES[family]), 'Alternatives'],
      packages.map((item) => [
        code(item.name),
        item.description,
        ...FAMILIES.map((family) => familyCell(item[family], sources)),
        item.instead.map(code).join(', '),
      ]),
    ),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ];
}

const TITLES: Readonly<Record<FamilyName, string>> = { debian: 'Debian', rhel: 'RHEL', suse: 'SUSE', arch: 'Arch', alpine: 'Alpine' };

function familyCell({ name, repository, seen, without, only, releases, note }: NativeEntry, sources: Map<string, number>): string {
  const named = (native: string, from: string | undefined): string => `${code(native)}${from === undefined ? '' : ` of ${from}`}`;
  const details = [
    ...(without === undefined ? [] : [`not in ${without.join(', ')}`]),
    ...(only === undefined ? [] : [`${only.join(', ')} alone`]),
    ...Object.entries(releases ?? {}).map(([id, other]) => `${id.replaceAll('*', '\\*')}: ${named(other.name, other.repository)}`),
    ...(note === undefined ? [] : [note]),
  ];
  const text = name === null ? '-' : `${named(name, repository)}${seen === undefined ? '' : ` <sup>${numberOf(seen, sources)}</sup>`}`;
  return details.length === 0 ? text : `${text}; ${details.join('; ')}`;
}

function numberOf(source: string, sources: Map<string, number>): number {
  const known = sources.get(source) ?? sources.size + 1;
  sources.set(source, known);
  return known;
}

function keysOf({ families }: CatalogRepository): string {
  const all = new Set(Object.values(families).flatMap((ways) => ways.flatMap((way) => ('fingerprints' in way ? way.fingerprints : []))));
  return [...all].map((fingerprint) => code(fingerprint)).join(' ');
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
