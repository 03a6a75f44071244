import { open } from 'node:fs/promises';
import { attach } from '../../base/attached.ts';
import { IngotError, isOutOfSpace } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import { formatSize, type HostPath } from '../../base/types.ts';
import { confine } from '../../disk/confine.ts';
import type { Packing } from '../../disk/foreign.ts';

/** Programs that unpack to standard output; -d with several threads where they have them. */
const PROGRAMS: Readonly<Record<Packing, readonly [string, ...string[]]>> = {
  gz: ['gzip', '-dc'],
  xz: ['xz', '-dc', '-T0'],
  zst: ['zstd', '-dcq', '--no-check', '--long=31'],
  bz2: ['bzip2', '-dc'],
};
/** tar's own flags for the same. */
const TAR_FLAGS: Readonly<Record<Packing, string>> = { gz: '--gzip', xz: '--xz', zst: '--zstd', bz2: '--bzip2' };

/** What a file may unpack to. Real images, which are mostly holes, stay far below; what is beyond is made to fill a disk. */
export const UNPACK_LIMITS = {
  /** Bytes with holes. */
  size: 64 * 2 ** 30,
  /** Times the packed size, besides {@link UNPACK_LIMITS.free}: with holes, and without. */
  ratio: 500,
  dataRatio: 100,
  free: 256 * 2 ** 20,
} as const;

/** Bytes; zeros of this length are left out of the file. */
const BLOCK = 64 * 2 ** 10;
const ZEROS = Buffer.alloc(BLOCK);

export interface UnpackOptions {
  readonly packing: Packing | 'tar';
  /** The file in an archive, with * for what changes; then `packing` is that of the archive. */
  readonly member?: string;
  readonly signal: AbortSignal;
  /** Bytes that were written, holes included. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Unpacks a file that somebody else has made into a new one with holes, by a confined program. Throws `unpack-too-large` for one that is made to fill
 * disks, `unpack-failed` with the program's words, `disk-full`, and `interrupted`; what was written until then is the caller's to remove.
 */
export async function unpack(host: Pick<Host, 'files' | 'processes' | 'machine'>, path: HostPath, target: HostPath, options: UnpackOptions): Promise<void> {
  const { packing, member, signal } = options;
  const packed = (await host.files.status(path))?.size ?? 0;
  const { command } = await confine(host, { reads: [path] });
  const argv: Argv = command(member === undefined && packing !== 'tar' ? [...PROGRAMS[packing], path] : tarOf(path, packing, member ?? '*'));
  const limits = {
    size: Math.min(UNPACK_LIMITS.size, UNPACK_LIMITS.free + UNPACK_LIMITS.ratio * packed),
    data: UNPACK_LIMITS.free + UNPACK_LIMITS.dataRatio * packed,
  };
  signal.throwIfAborted();
  const running = attach(host, argv, { stdout: 'pipe', stderr: 'pipe' });
  const stop = (): void => running.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const size = await writeSparsely(running.stdout, target, limits, (reason) => tooLarge(path, packed, reason), options.onProgress);
    const { exitCode } = await running.ended;
    if (signal.aborted) throw new IngotError('interrupted', 'interrupted', `Stopped while ${path} was unpacked`);
    if (exitCode !== 0 || size === 0) {
      throw new IngotError(
        'verification',
        'unpack-failed',
        size === 0 && exitCode === 0 ? `There is nothing in ${path}` : `${path} cannot be unpacked to its end`,
        {
          detail: running.words(),
          hint: 'Get it again, and compare its checksum with that of its maker.',
        },
      );
    }
    await host.files.sync(target);
  } catch (error) {
    if (isOutOfSpace(error)) throw new IngotError('space', 'disk-full', `The disk became full while ${path} was unpacked`, { cause: error });
    throw error;
  } finally {
    stop();
    await running.ended;
    signal.removeEventListener('abort', stop);
  }
}

/** The first file of an archive that the pattern fits, to standard output. */
function tarOf(path: HostPath, packing: Packing | 'tar', member: string): Argv {
  return ['tar', '--extract', '--to-stdout', ...(packing === 'tar' ? [] : [TAR_FLAGS[packing]]), '--file', path, '--wildcards', '--occurrence=1', '--', member];
}

async function writeSparsely(
  output: NodeJS.ReadableStream | null,
  target: HostPath,
  limits: { readonly size: number; readonly data: number },
  tooLargeBecause: (reason: string) => IngotError,
  onProgress: (done: number) => void = () => undefined,
): Promise<number> {
  await using file = await open(target, 'w', 0o600);
  let [size, data] = [0, 0];
  for await (const chunk of output ?? []) {
    const bytes = Buffer.from(chunk);
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = bytes.subarray(at, at + BLOCK);
      if (block.equals(ZEROS.subarray(0, block.length))) continue;
      data += block.length;
      if (data > limits.data) throw tooLargeBecause(`more than ${formatSize(limits.data)} of data`);
      await writeAll(file, block, size + at);
    }
    size += bytes.length;
    if (size > limits.size) throw tooLargeBecause(`more than ${formatSize(limits.size)}`);
    onProgress(size);
  }
  await file.truncate(size);
  return size;
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

function tooLarge(path: HostPath, packed: number, reason: string): IngotError {
  return new IngotError('verification', 'unpack-too-large', `${path} is not unpacked: its ${formatSize(packed)} become ${reason}`, {
    hint: 'No image of a system is like that. If this one is, unpack it yourself and start from the disk.',
  });
}
