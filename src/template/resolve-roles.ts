import { findRole, roleFor } from '../catalog/roles.ts';
import type { FoundBase } from './resolve-base.ts';
import type { Path, Scope } from './scope.ts';
import type { ResolvedRole } from './template.ts';

/** The roles of the template, then those of the flags, each once; parameters of one that is named again are joined. */
export async function resolveRoles(scope: Scope, more: readonly string[], found: FoundBase | undefined): Promise<ResolvedRole[]> {
  const family = found?.release?.family ?? found?.image?.['dev.ingot.image'].family;
  const roles = new Map<string, ResolvedRole>();
  const add = (name: string, parameters: Readonly<Record<string, unknown>>): void => {
    const role = findRole(scope.catalog, name);
    const known = roles.get(name);
    const joined = { ...known?.parameters, ...parameters };
    if (family !== undefined) roleFor(role, family, joined);
    roles.set(name, { name, version: role.version, parameters: joined });
  };
  for (const [i, item] of scope.loaded.template.roles.entries()) {
    const named: [Path, string, Readonly<Record<string, unknown>>][] =
      typeof item === 'string' ? [[['roles', i], item, {}]] : Object.entries(item).map(([name, parameters]) => [['roles', i, name], name, parameters]);
    for (const [path, name, parameters] of named) await scope.attempt(path, () => add(name, parameters));
  }
  for (const name of more) if (!roles.has(name)) add(name, {});
  return [...roles.values()];
}
