import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { writeOutFile } from '../../base/out-file.ts';
import { makeScratch } from '../../base/scratch.ts';
import type { HostPath, Name } from '../../base/types.ts';
import { requireRunning } from './power.ts';
import type { LabContext } from './view.ts';

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const SCREENDUMP_SECONDS = 20;

/** A picture's size, in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Writes what is on the screen of a running VM to a PNG file, which appears when it is whole. Throws `vm-not-running`, `qemu-too-old`,
 * `file-exists` without `force`, `folder-missing`.
 */
export async function takeScreenshot(context: LabContext, name: Name, target: HostPath, options: { readonly force: boolean }): Promise<PictureSize> {
  const { host, home } = context;
  const guest = await requireRunning(context, name);
  return writeOutFile(host, home, target, { force: options.force, what: `vm screenshot ${name}` }, async (part) => {
    // QEMU writes where nobody else looks: what it makes is looked at before it is anybody's file.
    await using scratch = await makeScratch(host, home, `vm screenshot ${name}`);
    const picture = join(scratch.path, 'screen.png');
    {
      using qmp = await guest.qmp();
      const { major, minor } = qmp.version;
      if (major < 7 || (major === 7 && minor < 1))
        throw new IngotError('host', 'qemu-too-old', `QEMU ${major}.${minor}, which runs ${name}, makes no PNG`, { hint: 'QEMU 7.1 or newer is needed.' });
      await qmp.execute('screendump', { filename: picture, format: 'png' }, SCREENDUMP_SECONDS);
    }
    const size = pngSize(await host.files.readPart(picture, 0, 24));
    await host.files.copy(picture, part);
    await host.files.setMode(part, 0o644);
    await host.files.sync(part);
    return size;
  });
}

/** Width and height from a PNG's first 24 bytes; throws `screenshot-damaged`. */
export function pngSize(head: Uint8Array): PictureSize {
  if (head.length < 24 || PNG.some((byte, index) => head[index] !== byte)) throw new IngotError('host', 'screenshot-damaged', 'What QEMU wrote is no PNG');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}
