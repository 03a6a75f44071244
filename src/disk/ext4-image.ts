import { join } from 'node:path';
import type { Host } from '../base/host.ts';
import type { HostPath } from '../base/types.ts';

const BLOCK = 4096;
const INODE = 256;
/** Blocks' bitmaps, group descriptors and what else grows with the size; generous, since the file is sparse. */
const OVERHEAD = 1.05;
const SLACK = 8 * 2 ** 20;

/**
 * Makes an ext4 image of a folder's content, as it is: owners, modes, links and extended attributes included. Needs no root, and no
 * more space than the content. Meant to be read only: there is no journal and little room. Throws `command-failed` with mke2fs's words.
 */
export async function makeExt4Image(host: Host, folder: string, image: HostPath, options: { label: string; signal?: AbortSignal }): Promise<void> {
  const { blocks, inodes } = await measure(host.files, folder);
  const bytes = Math.ceil((blocks * BLOCK + inodes * INODE) * OVERHEAD) + SLACK;
  await host.files.write(image, '', { mode: 0o600 });
  await host.processes.run(
    [
      ...(['mke2fs', '-q', '-F', '-t', 'ext4', '-L', options.label, '-b', String(BLOCK), '-I', String(INODE), '-m', '0'] as const),
      ...['-O', '^has_journal,^resize_inode', '-N', String(inodes + 64), '-E', 'lazy_itable_init=1,nodiscard,root_owner=0:0'],
      ...['-d', folder, image, `${Math.ceil(bytes / 1024)}k`],
    ],
    { timeout: 1800, ...(options.signal === undefined ? {} : { signal: options.signal }) },
  );
}

interface Measure {
  readonly blocks: number;
  readonly inodes: number;
}

async function measure(files: Host['files'], path: string): Promise<Measure> {
  const status = await files.status(path);
  // One block more than the data: for an extent tree or extended attributes.
  if (status?.kind !== 'directory') return { blocks: Math.ceil((status?.size ?? 0) / BLOCK) + 1, inodes: 1 };
  const names = await files.list(path);
  const inside = await Promise.all(names.map((name) => measure(files, join(path, name))));
  const own: Measure = { blocks: Math.ceil((names.length * 264) / BLOCK) + 2, inodes: 1 };
  return [own, ...inside].reduce((sum, each) => ({ blocks: sum.blocks + each.blocks, inodes: sum.inodes + each.inodes }));
}
