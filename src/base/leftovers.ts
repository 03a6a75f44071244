import { basename, dirname, join } from 'node:path';
import type { Files } from './files.ts';

/** Removes the temporary files that a killed `replaceFile` of this path left. Only under the lock that all its writers take. */
export async function removeLeftovers(files: Files, path: string): Promise<void> {
  const names = await files.list(dirname(path));
  for (const name of names) if (name.startsWith(`${basename(path)}.`) && /\.tmp-\d+-\d+$/.test(name)) await files.remove(join(dirname(path), name));
}
