import { join } from 'node:path';
import { IngotError } from '../../../base/errors.ts';
import type { Files } from '../../../base/files.ts';

/** Nobody's project has more. */
const MOST_ENTRIES = 20_000;

/**
 * Copies a folder as it is, links as links; by reference where the filesystem can. What earlier builds of Packer have left in it stays behind. Throws
 * `packer-folder-large`.
 */
export async function copyFolder(files: Files, from: string, to: string): Promise<void> {
  let count = 0;
  const copy = async (source: string, target: string): Promise<void> => {
    await files.makeDirectory(target);
    for (const name of await files.list(source)) {
      const [path, place] = [join(source, name), join(target, name)];
      const status = await files.status(path);
      if (status === undefined || (source === from && ['packer_cache', '.git'].includes(name)) || (source === from && name.startsWith('output-'))) continue;
      if ((count += 1) > MOST_ENTRIES)
        throw new IngotError('usage', 'packer-folder-large', `${from} holds more than ${MOST_ENTRIES} files`, {
          hint: 'Give the folder of the project alone.',
        });
      if (status.kind === 'directory') await copy(path, place);
      else if (status.kind === 'link') await files.symlink(await files.readLink(path), place);
      else if (status.kind === 'file') {
        await files.copy(path, place);
        await files.setMode(place, status.mode & 0o777);
      }
    }
  };
  await copy(from, to);
}
