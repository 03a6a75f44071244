import { basename, dirname, join } from 'node:path';
import { IngotError, systemErrorCode } from './errors.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import { isLocked } from './lock.ts';
import { makeScratch } from './scratch.ts';
import type { HostPath } from './types.ts';

/**
 * Writes a file for the user: `write` makes a temporary file beside the target, which becomes the target when it is whole and on the disk. Without
 * `force` a file that is there is never replaced. What killed writers to the same target left is removed first. Throws `file-exists`,
 * `folder-missing`, and what `write` throws.
 */
export async function writeOutFile<T>(
  host: Host,
  home: Home,
  target: HostPath,
  options: { readonly force: boolean; readonly what: string },
  write: (part: string) => Promise<T>,
): Promise<T> {
  const { files } = host;
  const folder = dirname(target);
  if ((await files.status(folder)) === undefined)
    throw new IngotError('not-found', 'folder-missing', `There is no folder ${folder}`, { hint: 'Make it first.' });
  const there = await files.status(target);
  if (there !== undefined && (there.kind === 'directory' || !options.force)) throw fileExists(target, there.kind === 'directory');
  await removeDeadParts(host, home, target);

  // The scratch folder's lock says for how long the temporary file has an owner.
  await using scratch = await makeScratch(host, home, options.what);
  const part = partName(target, basename(scratch.path));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => files.remove(part));
  const result = await write(part);
  await publish(host, part, target, options.force);
  await files.sync(folder);
  return result;
}

function partName(target: string, id: string): string {
  return join(dirname(target), `.${basename(target)}.${id}.part`);
}

async function removeDeadParts(host: Host, home: Home, target: string): Promise<void> {
  const [before, after] = [`.${basename(target)}.`, '.part'];
  for (const name of await host.files.list(dirname(target))) {
    const id = name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, -after.length) : '';
    if (/^[0-9a-f]{12}$/.test(id) && !isLocked(home, `run-${id}`)) await host.files.remove(join(dirname(target), name));
  }
}

async function publish(host: Host, part: string, target: string, force: boolean): Promise<void> {
  if (force) {
    await host.files.rename(part, target);
    return;
  }
  try {
    // A link, unlike a rename, never replaces a file that came meanwhile.
    await host.files.link(part, target);
    await host.files.remove(part);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') throw fileExists(target, false);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemErrorCode(error) ?? '')) throw error;
    await host.files.rename(part, target); // a filesystem without links
  }
}

function fileExists(path: string, isFolder: boolean): IngotError {
  return new IngotError('conflict', 'file-exists', isFolder ? `${path} is a folder` : `${path} exists already`, {
    hint: isFolder ? 'Give the name of a file.' : 'Give another name, or --force to replace it.',
  });
}
