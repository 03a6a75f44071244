import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { packageCategorySchema, type PackageCategory } from './packages.ts';
import { repositorySchema } from './repositories.ts';
import { roleSchema } from './roles.ts';
import { distributionSchema, type CatalogData } from './schema.ts';

const CATALOG_FOLDER = fileURLToPath(new URL('../../catalog', import.meta.url));

/** Reads and checks catalog/: what `tools/bundle.ts` compiles in, and what runs from the sources read at every start. */
export async function readCatalogFolder(folder = CATALOG_FOLDER): Promise<CatalogData> {
  const distributions = await readAll(folder, 'distros', (content) => distributionSchema.parse(content));
  const keys: Record<string, string> = {};
  for (const { keyring } of distributions) keys[keyring] = await readFile(join(folder, keyring), 'utf8');
  const roleNames = (await readdir(join(folder, 'roles'))).toSorted();
  const roles = await Promise.all(roleNames.map(async (name) => roleSchema.parse(parse(await readFile(join(folder, 'roles', name, 'role.yaml'), 'utf8')))));
  const repositories = await readAll(folder, 'repositories', (content) => repositorySchema.parse(content));
  return { distributions, keys, roles, repositories };
}

/** Reads and checks catalog/packages. */
export async function readPackageFolder(folder = CATALOG_FOLDER): Promise<PackageCategory[]> {
  return await readAll(folder, 'packages', (content) => packageCategorySchema.parse(content));
}

/** Every YAML file of a folder of the catalog, in the order of their names. */
async function readAll<T>(folder: string, part: string, check: (content: unknown) => T): Promise<T[]> {
  const names = (await readdir(join(folder, part))).filter((name) => name.endsWith('.yaml')).toSorted();
  return await Promise.all(names.map(async (name) => check(parse(await readFile(join(folder, part, name), 'utf8')))));
}
