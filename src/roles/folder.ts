import { join, relative } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import { formatSize, hostPath, type HostPath } from '../base/types.ts';
import type { RoleFolder } from './role.ts';

/** Bytes that a file of a role may have, and all of them together. */
export const MAX_ROLE_FILE = 2 ** 20;
export const MAX_ROLE = 8 * 2 ** 20;
/** Folders deep, below the role's own. */
const MAX_DEPTH = 8;
/** For people, not for images. */
const LEFT_OUT = new Set(['.git', 'README.md', 'tested.json']);

/** Reads the text files of a role's folder. Throws `role-missing`, `role-file-refused` (a link, something that is not text, too large). */
export async function readRoleFolder(files: Files, folder: HostPath): Promise<RoleFolder> {
  if ((await files.status(join(folder, 'role.yaml'))) === undefined) {
    throw new IngotError('not-found', 'role-missing', `There is no role in ${folder}: it has no role.yaml`, { hint: '`ingot role new NAME` writes one.' });
  }
  const found: Record<string, string> = {};
  await readInto(files, folder, folder, found, 0);
  const size = Object.values(found).reduce((sum, text) => sum + text.length, 0);
  if (size > MAX_ROLE) throw refused(folder, `is larger than ${formatSize(MAX_ROLE)}`, 'Large things are fetched: `downloads`.');
  return { origin: folder, file: hostPath(join(folder, 'role.yaml')), files: found };
}

async function readInto(files: Files, role: string, folder: string, found: Record<string, string>, depth: number): Promise<void> {
  if (depth > MAX_DEPTH) throw refused(folder, 'is too deep');
  for (const name of await files.list(folder)) {
    const path = join(folder, name);
    const status = depth === 0 && LEFT_OUT.has(name) ? undefined : await files.status(path);
    if (status === undefined) continue;
    if (status.kind === 'directory') await readInto(files, role, path, found, depth + 1);
    else if (status.kind === 'file' && status.size <= MAX_ROLE_FILE) found[relative(role, path)] = roleText(await files.read(path), path);
    else throw refused(path, status.kind === 'file' ? `is larger than ${formatSize(MAX_ROLE_FILE)}` : 'is no file');
  }
}

/** The text of a role's file. Throws `role-file-refused` where it is none. */
export function roleText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refused(path, 'is not text in UTF-8', 'Other things are fetched (`downloads`), or made by a package.');
  }
}

function refused(path: string, why: string, hint?: string): IngotError {
  return new IngotError('usage', 'role-file-refused', `A role cannot hold ${path}: it ${why}`, hint === undefined ? {} : { hint });
}
