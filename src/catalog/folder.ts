import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { roleSchema } from './roles.ts';
import { distributionSchema, type CatalogData } from './schema.ts';

const CATALOG_FOLDER = fileURLToPath(new URL('../../catalog', import.meta.url));

/** Reads and checks catalog/: what `tools/bundle.ts` compiles in, and what runs from the sources read at every start. */
export async function readCatalogFolder(folder = CATALOG_FOLDER): Promise<CatalogData> {
  const names = (await readdir(join(folder, 'distros'))).filter((name) => name.endsWith('.yaml')).toSorted();
  const distributions = await Promise.all(
    names.map(async (name) => distributionSchema.parse(parse(await readFile(join(folder, 'distros', name), 'utf8')))),
  );
  const keys: Record<string, string> = {};
  for (const { keyring } of distributions) keys[keyring] = await readFile(join(folder, keyring), 'utf8');
  const roleNames = (await readdir(join(folder, 'roles'))).toSorted();
  const roles = await Promise.all(roleNames.map(async (name) => roleSchema.parse(parse(await readFile(join(folder, 'roles', name, 'role.yaml'), 'utf8')))));
  return { distributions, keys, roles };
}
