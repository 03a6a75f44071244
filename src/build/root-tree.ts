import { join } from 'node:path';
import { hostPath, type Digest, type HostPath } from '../base/types.ts';
import type { Release } from '../catalog/schema.ts';
import { convertChain } from '../disk/convert.ts';
import { packingOf } from '../disk/foreign.ts';
import type { DiskLayout } from '../disk/layout.ts';
import { emptyQcow2 } from '../disk/qcow2.ts';
import { readRootArchive } from '../disk/root-archive.ts';
import { ARCHIVE_FILE, fillTreeDisk, treeDiskSize, treeLayout } from '../disk/tree-disk.ts';
import { requireTools } from '../doctor/install.ts';
import { treeBoot } from '../families/families.ts';
import type { Context } from '../operations/operation.ts';
import type { Place } from '../workspace/place.ts';

/** The tree of a root file system, which was looked at. */
export interface RootTree {
  /** Bytes of the disk for it. */
  readonly size: number;
  readonly arch: string;
}

/**
 * Looks whether a file is the archive of a release's root file system, and at every name in it; undefined for what is no archive. Throws `source-unsupported`
 * for a family whose systems ingot cannot make of one, and what {@link readRootArchive} throws.
 */
export async function findTree(
  { host }: Context,
  { release, arch }: { readonly release: Release; readonly arch: string },
  file: HostPath,
): Promise<RootTree | undefined> {
  if ((await packingOf(host.files, file)) !== 'tar') return undefined;
  treeBoot(release);
  const { bytes } = await readRootArchive(host.files, file);
  return { size: treeDiskSize(bytes), arch };
}

export interface TreeLayer {
  /** The archive, unpacked to a plain tar file. */
  readonly file: HostPath;
  /** The qcow2 that is made. */
  readonly layer: HostPath;
  /** Of the file as it was published. */
  readonly digest: Digest;
  readonly scratch: HostPath;
}

/** As in a base that is made of packages. */
const OUTPUT = ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=128k'];

/** Puts a tree on a new disk, in a place, and writes that as a layer. Throws what {@link fillTreeDisk} throws. */
export async function makeTreeLayer(context: Context, place: Place, { size, arch }: RootTree, { file, layer, digest, scratch }: TreeLayer): Promise<void> {
  const { host, signal } = context;
  if (place.kind === 'host') await requireTools(context, ['mke2fs', 'mformat']);
  const layout: DiskLayout = treeLayout(digest, { size, arch });
  const folder = hostPath(join(scratch, 'archive'));
  await host.files.makeDirectory(folder);
  // A file of the user is never ours to move.
  await host.files.link(file, join(folder, ARCHIVE_FILE)).catch(() => host.files.copy(file, join(folder, ARCHIVE_FILE)));
  const overlay = hostPath(join(scratch, 'tree.qcow2'));
  await host.files.write(overlay, emptyQcow2({ virtualSize: layout.size }), { mode: 0o600 });
  {
    await using disk = await place.attach({ chain: [], overlay, scratch });
    await fillTreeDisk(place, disk, layout, folder);
    await disk.detach();
  }
  await convertChain(host, [overlay], layer, { output: OUTPUT, inOrder: true, signal });
  await host.files.sync(layer);
}
