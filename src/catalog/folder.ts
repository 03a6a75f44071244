import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { packageCategorySchema, type PackageCategory } from './packages.ts';
import { provenSchema } from './proven.ts';
import { repositorySchema } from './repositories.ts';
import { distributionSchema, type CatalogData, type Distribution } from './schema.ts';

const CATALOG_FOLDER = fileURLToPath(new URL('../../catalog', import.meta.url));

/** Reads and checks catalog/: what `tools/bundle.ts` compiles in, and what runs from the sources read at every start. */
export async function readCatalogFolder(folder = CATALOG_FOLDER): Promise<CatalogData> {
  const distributions = await readAll(folder, 'distros', (content) => distributionSchema.parse(content));
  const keys: Record<string, string> = {};
  for (const path of distributions.flatMap(keyFiles)) keys[path] = await readFile(join(folder, path), 'utf8');
  const repositories = await readAll(folder, 'repositories', (content) => repositorySchema.parse(content));
  const proven = provenSchema.parse(JSON.parse(await readFile(join(folder, 'proven.json'), 'utf8'))).rows;
  return { distributions, keys, roles: await readRoles(join(folder, 'roles')), repositories, proven };
}

/** Reads and checks catalog/packages. */
export async function readPackageFolder(folder = CATALOG_FOLDER): Promise<PackageCategory[]> {
  return await readAll(folder, 'packages', (content) => packageCategorySchema.parse(content));
}

/** Paths of the keys that a distribution names. */
function keyFiles({ archive, keys }: Distribution): string[] {
  const files = keys.flatMap(({ file }) => (file === undefined ? [] : [file]));
  return [...new Set(archive === undefined ? files : [archive.keyring, ...files])];
}

/** Every YAML file of a folder of the catalog, in the order of their names. */
async function readAll<T>(folder: string, part: string, check: (content: unknown) => T): Promise<T[]> {
  const names = (await readdir(join(folder, part))).filter((name) => name.endsWith('.yaml')).toSorted();
  return await Promise.all(names.map(async (name) => check(parse(await readFile(join(folder, part, name), 'utf8')))));
}

async function readRoles(folder: string): Promise<CatalogData['roles']> {
  const roles: Record<string, Record<string, string>> = {};
  for (const name of (await readdir(folder)).toSorted()) {
    const inner = (await readdir(join(folder, name), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && entry.name !== 'README.md');
    const paths = inner.map((entry) => relative(join(folder, name), join(entry.parentPath, entry.name))).toSorted();
    roles[name] = Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, name, path), 'utf8')] as const)));
  }
  return roles;
}
