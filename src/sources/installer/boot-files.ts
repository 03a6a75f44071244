import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { Architecture } from '../../catalog/cloud-image-schema.ts';
import type { IsoImage } from './iso/reader.ts';
import type { InstallerKind } from './kinds/kind.ts';

/** No kernel is larger, and no initrd of an installer. */
const [MOST_KERNEL, MOST_INITRD] = [256 * 2 ** 20, 2 ** 30];

/** Copies kernel and initrd of a medium into a folder. Throws `iso-no-kernel` with what was looked for, `iso-invalid`, `iso-file-too-large`. */
export async function extractBootFiles(
  iso: IsoImage,
  kind: InstallerKind,
  arch: Architecture,
  folder: HostPath,
): Promise<{ readonly kernel: HostPath; readonly initrd: HostPath }> {
  const places = kind.media[arch];
  for (const place of places) {
    const [kernel, initrd] = [await iso.find(place.kernel), await iso.find(place.initrd)];
    if (kernel?.kind !== 'file' || initrd?.kind !== 'file') continue;
    const copies = { kernel: hostPath(join(folder, 'kernel')), initrd: hostPath(join(folder, 'initrd')) };
    await iso.extract(kernel, copies.kernel, MOST_KERNEL);
    await iso.extract(initrd, copies.initrd, MOST_INITRD);
    return copies;
  }
  const there = (await iso.list('')).map(({ name }) => name).slice(0, 12);
  throw new IngotError('verification', 'iso-no-kernel', `${iso.path} has no kernel of an installer (${kind.kind}, ${arch}) in it`, {
    hint:
      places.length === 0
        ? `There is no ${kind.kind} installer for ${arch}.`
        : `Looked for ${places.map(({ kernel }) => kernel).join(', ')}. At its top are ${there.join(', ') || 'no files'}. A live or rescue medium installs nothing unattended.`,
  });
}
