import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { FAMILIES, type FamilyName } from '../catalog/families.ts';
import { loadPackages, nativeText, packageOutput, type CatalogPackage, type PackageCatalog } from '../catalog/packages.ts';
import { countOf } from './image-text.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { renderTable, styled, type Cell } from './table.ts';

export default defineOperation({
  name: 'catalog packages',
  summary: 'List the packages that templates can name for every family',
  description:
    'A template writes one name, and the family gets its own. Names that are not listed work too: they are passed on as they are. With --family, the names of that family, the repositories that have them, and where the names were seen.',
  kind: 'query',
  input: z.strictObject({
    category: z.string().optional().describe('Only packages of this category'),
    search: z
      .string()
      .min(1)
      .optional()
      .describe('Only packages with this text in their names, in any family, or their descriptions')
      .meta({ placeholder: 'TEXT' }),
    family: z.enum(FAMILIES).optional().describe('Show the names of this family'),
  }),
  output: z.strictObject({
    family: z.enum(FAMILIES).nullable(),
    categories: z.array(z.strictObject({ category: z.string(), packages: z.array(packageOutput) })),
  }),
  examples: [
    { command: 'ingot catalog packages', does: 'every package, category by category' },
    { command: 'ingot catalog packages --category editors --family rhel', does: 'what the RHEL family calls its editors' },
    { command: 'ingot catalog packages --search postgres --json', does: 'everything about PostgreSQL, for a program' },
  ],
  async run({ category, search, family }) {
    const packages = await loadPackages();
    const names = categoriesOf(packages);
    if (category !== undefined && !names.includes(category)) throw categoryUnknown(category, names);
    const wanted = search?.toLowerCase();
    const found = [...packages.values()].filter((item) => wanted === undefined || textsOf(item).some((text) => text.toLowerCase().includes(wanted)));
    return {
      family: family ?? null,
      categories: names
        .filter((name) => category === undefined || name === category)
        .map((name) => ({ category: name, packages: found.filter((item) => item.category === name) }))
        .filter(({ packages: some }) => some.length > 0),
    };
  },
  render({ family, categories }, options) {
    const all = categories.flatMap(({ packages }) => packages);
    if (all.length === 0) return 'No package of the catalog is like that. Names that it does not know are passed on to the family as they are.';
    const [heading = '', ...lines] = (family === null ? overview(all, options) : namesOfFamily(all, family, options)).split('\n');
    const blocks = categories.map(({ category, packages }) => [styled(category, 'bold', options), ...lines.splice(0, packages.length)].join('\n'));
    const starred = family !== null && all.some((item) => item[family].releases !== undefined);
    const foot = [countOf(all.length, 'package'), ...(starred ? ['* differs between releases: ingot catalog package NAME'] : [])];
    return [heading, ...blocks, foot.join('\n')].join('\n\n');
  },
});

function overview(packages: readonly CatalogPackage[], options: RenderOptions): string {
  return renderTable(
    [{ title: 'NAME' }, { title: 'NOT IN' }, { title: 'DESCRIPTION', shrink: true }],
    packages.map((item) => [item.name, lackingCell(item), item.description]),
    options,
  );
}

function lackingCell(item: CatalogPackage): Cell {
  const lacking = FAMILIES.filter((family) => item[family].name === null);
  return { text: lacking.length === FAMILIES.length ? 'any family' : lacking.join(', '), style: 'yellow' };
}

function namesOfFamily(packages: readonly CatalogPackage[], family: FamilyName, options: RenderOptions): string {
  return renderTable(
    [{ title: 'NAME' }, { title: family.toUpperCase() }, { title: 'REPOSITORY' }, { title: 'DESCRIPTION', shrink: true }, { title: 'SEEN', shrink: true }],
    packages.map((item) => {
      const entry = item[family];
      const native: Cell = entry.name === null ? { text: '-', style: 'yellow' } : nativeText(entry);
      return [item.name, native, entry.repository ?? '', item.description, { text: seenText(family, entry.name, entry.seen), style: 'dim' }];
    }),
    options,
  );
}

function seenText(family: FamilyName, name: string | null, seen: string | undefined): string {
  if (name === null) return '';
  return family === 'debian' ? 'tested' : (seen ?? 'not checked');
}

function categoriesOf(packages: PackageCatalog): string[] {
  return [...new Set([...packages.values()].map(({ category }) => category))];
}

function textsOf(item: CatalogPackage): string[] {
  return [item.name, item.description, ...FAMILIES.flatMap((family) => item[family].name ?? [])];
}

function categoryUnknown(name: string, names: readonly string[]): IngotError {
  const parts = names.filter((known) => known.split('-').includes(name));
  const near = parts.length > 0 ? parts : nearest(name, names);
  return new IngotError('not-found', 'category-unknown', `There is no category "${name}" of packages`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${names.join(', ')}.`,
  });
}
