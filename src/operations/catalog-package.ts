import * as z from 'zod';
import { FAMILIES } from '../catalog/families.ts';
import { findPackage, loadPackages, nativeText, packageOutput } from '../catalog/packages.ts';
import { defineOperation } from './operation.ts';
import { renderTable, styled } from './table.ts';

export default defineOperation({
  name: 'catalog package',
  summary: 'Show what every family calls a package, and where the names were seen',
  kind: 'query',
  input: z.strictObject({ name: z.string().min(1).describe('A package of the catalog').meta({ positional: true, complete: 'package' }) }),
  output: packageOutput,
  examples: [{ command: 'ingot catalog package docker-compose', does: 'its names, what it needs, and what there is instead' }],
  async run({ name }) {
    return findPackage(await loadPackages(), name);
  },
  render(item, options) {
    const facts: readonly (readonly [string, string | undefined])[] = [
      ['Package', item.name],
      ['Category', item.category],
      ['What it is', item.description],
      ['Alternatives', item.instead.length === 0 ? undefined : item.instead.join(', ')],
      ['Upstream', item.upstream === undefined ? undefined : `repository ${item.upstream}`],
      ['Note', item.note],
    ];
    const table = renderTable(
      [{ title: 'FAMILY' }, { title: 'NAME' }, { title: 'REPOSITORY' }, { title: 'RELEASES', shrink: 'wrap' }, { title: 'SEEN', shrink: true }],
      FAMILIES.map((family) => {
        const entry = item[family];
        if (entry.name === null) return [family, { text: '-', style: 'yellow' }, '', entry.note ?? ''];
        return [
          family,
          nativeText(entry),
          entry.repository ?? '',
          releasesText(entry),
          { text: family === 'debian' ? 'tested' : (entry.seen ?? 'not checked'), style: 'dim' },
        ];
      }),
      options,
    );
    const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${styled(name.padEnd(14), 'dim', options)}${value}`]));
    return [...lines, '', table].join('\n');
  },
});

/** What differs between the releases of a family. */
function releasesText({ without, only, releases, note }: z.output<typeof packageOutput>['debian']): string {
  return [
    ...(without === undefined ? [] : [`not in ${without.join(', ')}`]),
    ...(only === undefined ? [] : [`in ${only.join(', ')} alone`]),
    ...Object.entries(releases ?? {}).map(([id, { name, repository }]) => `${id}: ${name}${repository === undefined ? '' : ` of ${repository}`}`),
    ...(note === undefined ? [] : [note]),
  ].join('; ');
}
