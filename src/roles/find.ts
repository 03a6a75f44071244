import { join, resolve } from 'node:path';
import { IngotError, nearest } from '../base/errors.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { CatalogData } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { readRoleFolder } from './folder.ts';
import { loadRole } from './load.ts';
import type { Role } from './role.ts';

/** A role that a template names in a repository of its own. */
export interface GitRole {
  readonly git: string;
  /** The whole hash. */
  readonly commit: string;
  /** The role's folder in the repository. */
  readonly path: string;
}

type FindContext = Pick<Context, 'host' | 'home' | 'folder'>;

/** Whether a text is the path of a role's folder, rather than a name. */
export function isRolePath(text: string): boolean {
  return text.includes('/');
}

/** A role of the catalog. */
export function catalogRole(catalog: CatalogData, name: string): Role | undefined {
  const files = catalog.roles[name];
  return files === undefined ? undefined : loadRole({ origin: 'the catalog', file: hostPath(`/catalog/roles/${name}/role.yaml`), files });
}

/** A role by its name: the catalog's, which wins, or one of the user's folder. Throws `role-unknown` with the nearest names. */
export async function findRole(context: FindContext, catalog: CatalogData, name: string): Promise<Role> {
  const known = catalogRole(catalog, name);
  if (known !== undefined) return known;
  const own = await ownRoles(context);
  if (own.includes(name)) return await roleAt(context, hostPath(join(context.home.roles, name)));
  const names = [...new Set([...Object.keys(catalog.roles), ...own])];
  const near = nearest(name, names);
  const beside = context.folder === undefined ? undefined : await context.host.files.status(join(context.folder, name, 'role.yaml'));
  throw new IngotError('not-found', 'role-unknown', `There is no role "${name}"`, {
    hint:
      beside !== undefined
        ? `There is a folder of that name here: write ./${name}.`
        : near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : '`ingot catalog roles` shows those that there are; a folder of your own is written with a slash: ./my-role.',
  });
}

/** Names of the roles in the user's folder. */
export async function ownRoles({ host, home }: Pick<FindContext, 'host' | 'home'>): Promise<string[]> {
  const names = await host.files.list(home.roles);
  const found = await Promise.all(names.map(async (name) => ((await host.files.status(join(home.roles, name, 'role.yaml'))) === undefined ? [] : [name])));
  return found.flat().toSorted();
}

/** The role in a folder. Throws `role-missing`, `role-invalid`, and what is wrong with the folder's files. */
export async function roleAt(context: FindContext, folder: HostPath): Promise<Role> {
  return loadRole(await readRoleFolder(context.host.files, folder), context.folder);
}

/** A role that a user named on the command line: by name, or by the path of its folder. */
export async function roleNamed(context: FindContext, catalog: CatalogData, text: string): Promise<Role> {
  if (!isRolePath(text)) return await findRole(context, catalog, text);
  if (context.folder === undefined && !text.startsWith('/')) {
    throw new IngotError('usage', 'path-relative', `"${text}" is a relative path, and there is no folder that it is relative to`, {
      hint: 'Write an absolute path.',
    });
  }
  return await roleAt(context, hostPath(resolve(context.folder ?? '/', text)));
}
