import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { formatSize, type HostPath } from '../../base/types.ts';
import { emptyQcow2, readQcow2Header } from '../../disk/qcow2.ts';

/** The largest disk that ingot makes; the header check of {@link readQcow2Header} accepts no larger one. */
const LARGEST = 64 * 2 ** 40;

/**
 * Makes an empty qcow2 overlay of `size` bytes on an image's top layer; the new part of a larger disk reads as zeros. The header
 * names the layer for those who look at the file with other tools. Throws `disk-too-small` (with the image's size) and `disk-too-large`.
 */
export async function makeOverlay(host: Pick<Host, 'files'>, path: HostPath, backing: HostPath, size: number): Promise<void> {
  const { virtualSize } = await readQcow2Header(host.files, backing);
  checkDiskSize(size, virtualSize);
  await writeEmpty(host, path, size, { name: backing, format: 'qcow2' });
}

/** Makes an empty disk of `size` bytes that stands on nothing. Throws `disk-too-large`. */
export async function makeEmptyDisk(host: Pick<Host, 'files'>, path: HostPath, size: number): Promise<void> {
  checkDiskSize(size, 0);
  await writeEmpty(host, path, size);
}

async function writeEmpty(
  host: Pick<Host, 'files'>,
  path: HostPath,
  size: number,
  backing?: { readonly name: string; readonly format: string },
): Promise<void> {
  // Larger clusters keep the first-level table within one of them.
  const clusterBits = size > 4 * 2 ** 40 ? 21 : 16;
  const disk = emptyQcow2({ virtualSize: Math.ceil(size / 512) * 512, clusterBits, ...(backing === undefined ? {} : { backing }) });
  await host.files.write(path, disk, { mode: 0o600, exclusive: true });
}

/** Whether nothing was ever written to an overlay: whatever QEMU adds makes the file longer. */
export async function isEmptyOverlay(host: Pick<Host, 'files'>, path: HostPath): Promise<boolean> {
  const { virtualSize, clusterBits, backing } = await readQcow2Header(host.files, path);
  const status = await host.files.status(path);
  return backing !== undefined && status?.size === emptyQcow2({ virtualSize, clusterBits, backing: { name: backing.name, format: 'qcow2' } }).length;
}

/** Refuses a disk that is smaller than its image, or that no qcow2 of ingot's can be. */
export function checkDiskSize(size: number, imageSize: number): void {
  if (size < imageSize) {
    throw new IngotError('usage', 'disk-too-small', `A disk of ${formatSize(size)} is smaller than the image's, which has ${formatSize(imageSize)}`, {
      hint: `Use --disk ${formatSize(imageSize).replace(' ', '')} or more, or leave --disk away.`,
    });
  }
  if (size > LARGEST)
    throw new IngotError('usage', 'disk-too-large', `A disk of ${formatSize(size)} is too large`, { hint: `The largest has ${formatSize(LARGEST)}.` });
}
