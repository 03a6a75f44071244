import * as z from 'zod';
import { toIngotError } from '../base/errors.ts';
import { shippedCatalog } from '../catalog/catalog.ts';
import { FAMILIES } from '../catalog/families.ts';
import { testedRows } from '../catalog/tested.ts';
import { catalogRole, findRole, ownRoles } from '../roles/find.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'catalog roles',
  summary: 'List the roles that templates can use',
  description: "Those of the catalog, and those of your folder of roles (`roles` in the home). The catalog's win over yours of the same name.",
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({
    roles: z.array(
      z.strictObject({
        name: z.string(),
        version: z.string(),
        summary: z.string(),
        families: z.array(z.string()),
        origin: z.enum(['catalog', 'own']),
        /** Releases on which all its cases were built, booted and tested as it is now; stand-ins do not count. */
        tested: z.array(z.string()),
        /** What is wrong with one of yours; null where nothing is. */
        problem: z.string().nullable(),
      }),
    ),
  }),
  examples: [{ command: 'ingot catalog roles', does: 'every role, and the families that it is for' }],
  async run(_input, context) {
    const catalog = await shippedCatalog();
    const own = (await ownRoles(context)).filter((name) => catalog.roles[name] === undefined);
    const known = Object.keys(catalog.roles).flatMap((name) => {
      const role = catalogRole(catalog, name);
      return role === undefined ? [] : [{ name, origin: 'catalog' as const, ...headOf(role) }];
    });
    const mine = await Promise.all(
      own.map(async (name) => {
        try {
          return { name, origin: 'own' as const, ...headOf(await findRole(context, catalog, name)) };
        } catch (error) {
          return { name, origin: 'own' as const, version: '', summary: '', families: [], tested: [], problem: toIngotError(error).message };
        }
      }),
    );
    return { roles: [...known, ...mine].toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  },
  render({ roles }, options) {
    const yours = roles.some(({ origin }) => origin === 'own');
    const known = roles.some(({ tested }) => tested.length > 0);
    return renderTable(
      [
        { title: 'NAME' },
        { title: 'FAMILIES' },
        ...(yours ? [{ title: 'FROM' }] : []),
        ...(known ? [{ title: 'TESTED', shrink: 'wrap' as const }] : []),
        { title: 'WHAT IT IS', shrink: 'wrap' },
      ],
      roles.map(({ name, families, origin, tested, summary, problem }) => [
        name,
        familiesText(families),
        ...(yours ? [origin === 'own' ? 'your folder' : 'catalog'] : []),
        ...(known ? [tested.join(', ')] : []),
        problem === null ? summary : { text: problem, style: 'red' as const },
      ]),
      options,
    );
  },
});

type Known = NonNullable<ReturnType<typeof catalogRole>>;

function headOf({ head, folder }: Known): { version: string; summary: string; families: string[]; tested: string[]; problem: null } {
  const rows = testedRows(folder.files);
  const good = [...new Set(rows.map(({ release }) => release))].filter((id) => {
    const own = rows.filter(({ release, standing }) => release === id && standing !== 'stand-in');
    return own.length > 0 && own.every(({ standing }) => standing === 'tested');
  });
  return { version: head.version, summary: head.summary, families: [...head.families], tested: good, problem: null };
}

function familiesText(families: readonly string[]): string {
  const lacking = FAMILIES.filter((family) => !families.includes(family));
  if (lacking.length === 0) return 'all';
  return lacking.length === 1 ? `all but ${lacking.join(', ')}` : families.join(', ');
}
