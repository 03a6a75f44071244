import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import type { CatalogData } from './schema.ts';

const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);

/** What a role does to an image of one family. `{{ parameter }}` in texts stands for a parameter's value. */
const roleFamilySchema = z.strictObject({
  packages: z.array(z.string()).default([]),
  files: z.array(z.strictObject({ path: z.string().startsWith('/'), content: z.string(), mode: z.string().default('0644') })).default([]),
  services: z.array(z.string()).default([]).describe('Enabled'),
});
export type RoleFamily = z.output<typeof roleFamilySchema>;

/** A file catalog/roles/<role>/role.yaml. */
export const roleSchema = z.strictObject({
  role: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  version: z.string().describe('Part of the key: raised with every change of what the role means'),
  summary: z.string(),
  parameters: z.record(z.string(), z.strictObject({ description: z.string(), default: value })).default({}),
  families: z.record(z.string(), roleFamilySchema),
});
export type Role = z.output<typeof roleSchema>;

/** A role by its name; throws `role-unknown` with the nearest names. */
export function findRole(catalog: CatalogData, name: string): Role {
  const found = catalog.roles.find(({ role }) => role === name);
  if (found !== undefined) return found;
  const names = catalog.roles.map(({ role }) => role);
  const near = nearest(name, names);
  throw new IngotError('not-found', 'role-unknown', `There is no role "${name}" in the catalog`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${names.join(', ')}.`,
  });
}

/** What a role does to a family, with its parameters filled in; throws `role-unsupported` and `parameter-unknown`. */
export function roleFor(role: Role, family: string, parameters: Readonly<Record<string, unknown>>): RoleFamily {
  const parts = role.families[family];
  if (parts === undefined) {
    throw new IngotError('usage', 'role-unsupported', `The role ${role.role} is not there for the ${family} family`, {
      hint: `It is there for ${Object.keys(role.families).join(', ')}.`,
    });
  }
  for (const name of Object.keys(parameters)) {
    if (Object.hasOwn(role.parameters, name)) continue;
    const known = Object.keys(role.parameters);
    const near = nearest(name, known);
    throw new IngotError('usage', 'parameter-unknown', `The role ${role.role} has no parameter "${name}"`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : known.length > 0 ? `It has ${known.join(', ')}.` : 'It takes none.',
    });
  }
  const fill = (text: string): string =>
    text.replaceAll(/\{\{ *([a-z0-9-]+) *\}\}/g, (whole, name: string) =>
      Object.hasOwn(role.parameters, name) ? String(parameters[name] ?? role.parameters[name]?.default) : whole,
    );
  return { ...parts, files: parts.files.map((file) => ({ ...file, content: fill(file.content) })) };
}
