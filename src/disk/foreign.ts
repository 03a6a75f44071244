import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';
import { QCOW2_LIMITS, readQcow2Header } from './qcow2.ts';

/*
 * Disks from elsewhere: what they are is decided here, by their first bytes, before any tool of QEMU sees them, and QEMU is told the format and
 * that there is no backing file.
 */

export interface ForeignDisk {
  readonly path: HostPath;
  readonly format: 'qcow2' | 'raw';
  /** Bytes of the disk. */
  readonly size: number;
}

/** Bytes; no image of a system is larger. */
const LARGEST = 2 * 2 ** 40;
const SECTOR = 512;

/** What people take for a disk image, by its first bytes: name and how to make a disk of it. */
const OTHERS: readonly { readonly magic: string; readonly name: string; readonly hint: string }[] = [
  { magic: 'KDMV', name: 'a VMDK disk', hint: 'Convert it first: qemu-img convert -f vmdk -O qcow2 IN OUT' },
  { magic: '# Disk DescriptorFile', name: 'the descriptor of a VMDK disk', hint: 'Convert it first: qemu-img convert -f vmdk -O qcow2 IN OUT' },
  { magic: 'conectix', name: 'a VHD disk', hint: 'Convert it first: qemu-img convert -f vpc -O qcow2 IN OUT' },
  { magic: 'vhdxfile', name: 'a VHDX disk', hint: 'Convert it first: qemu-img convert -f vhdx -O qcow2 IN OUT' },
  { magic: '<<< ', name: 'a VirtualBox disk', hint: 'Convert it first: qemu-img convert -f vdi -O qcow2 IN OUT' },
  { magic: '\u001F\u008B', name: 'compressed with gzip', hint: 'Unpack it first: gunzip FILE' },
  { magic: '\u00FD7zXZ', name: 'compressed with xz', hint: 'Unpack it first: unxz FILE' },
  { magic: '(\u00B5/\u00FD', name: 'compressed with zstd', hint: 'Unpack it first: unzstd FILE' },
  { magic: 'BZh', name: 'compressed with bzip2', hint: 'Unpack it first: bunzip2 FILE' },
  { magic: 'PK\u0003\u0004', name: 'a zip archive', hint: 'Unpack it first.' },
];

/**
 * Says what a file is, by its first bytes alone. Throws `disk-unknown`, and `qcow2-invalid` for a qcow2 that names another file, is encrypted,
 * damaged, or beyond what a sane image has.
 */
export async function identifyDisk(files: Files, path: HostPath): Promise<ForeignDisk> {
  const status = await files.status(path);
  if (status?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${path} is not a file`);
  const head = Buffer.from(await files.readPart(path, 0, QCOW2_LIMITS.headerBytes));
  if (head.subarray(0, 4).toString('latin1') === 'QFI\u00FB') return { path, format: 'qcow2', size: limited(path, await qcow2Size(files, path)) };
  const other = OTHERS.find(({ magic }) => head.subarray(0, magic.length).toString('latin1') === magic);
  if (other !== undefined) throw unknown(path, `it is ${other.name}`, other.hint);
  if (head.subarray(SECTOR, SECTOR + 8).toString('latin1') !== 'EFI PART') {
    throw unknown(
      path,
      'it is neither qcow2 nor a raw disk with a GPT partition table',
      'A file system alone, or an installer, is no disk that can be started.',
    );
  }
  return { path, format: 'raw', size: limited(path, Math.ceil(status.size / SECTOR) * SECTOR) };
}

async function qcow2Size(files: Files, path: HostPath): Promise<number> {
  const { backing, virtualSize } = await readQcow2Header(files, path);
  if (backing !== undefined) {
    throw new IngotError('verification', 'qcow2-invalid', `${path} is not a whole disk: it stands on ${backing.name}`, {
      hint: 'Make one file of both first: qemu-img convert -O qcow2 IN OUT',
    });
  }
  return Math.ceil(virtualSize / SECTOR) * SECTOR;
}

function limited(path: HostPath, size: number): number {
  if (size <= LARGEST) return size;
  throw new IngotError('verification', 'disk-too-large', `${path} says that it is a disk of ${size} bytes`, {
    hint: `The largest that is taken has ${LARGEST}.`,
  });
}

function unknown(path: HostPath, why: string, hint: string): IngotError {
  return new IngotError('verification', 'disk-unknown', `${path} is no disk that ingot can start from: ${why}`, { hint });
}

const CONVERT_SECONDS = 3600;
/** What `qemu-img check` ends with where space is lost and nothing else is wrong. */
const LEAKS = 3;
/** Bytes of address space, and seconds of processor time: a header that passes can still lead to tables made to exhaust. */
const MEMORY = 4 * 2 ** 30;

/**
 * Copies a disk into a new qcow2 of ingot's own making, compressed, standing on nothing. Tables that point to the same data again and again
 * cannot make it larger than the file warrants. Throws `disk-damaged` with qemu-img's words, `disk-full`, and `interrupted`.
 */
export async function takeDisk(host: Pick<Host, 'files' | 'processes' | 'machine'>, disk: ForeignDisk, target: HostPath, signal: AbortSignal): Promise<void> {
  const { size = 0 } = (await host.files.status(disk.path)) ?? {};
  const file = { driver: 'file', filename: disk.path, 'read-only': true };
  const source = { driver: disk.format, 'read-only': true, file, ...(disk.format === 'qcow2' ? { backing: null } : {}) };
  const graph = `json:${JSON.stringify(source)}`;
  const limits = [`--as=${MEMORY}`, `--cpu=${CONVERT_SECONDS}`, `--fsize=${2 * size + 64 * 2 ** 20}`];
  const run = async (...words: readonly [string, ...string[]]): Promise<void> => {
    const argv: Argv = host.machine.platform === 'linux' ? ['prlimit', ...limits, '--', 'qemu-img', ...words] : ['qemu-img', ...words];
    await host.processes.run(argv, { timeout: CONVERT_SECONDS, signal, accept: words[0] === 'check' ? [LEAKS] : [] });
  };
  try {
    // What lies beyond the end of a file that was cut off would otherwise read as zeros.
    if (disk.format === 'qcow2') await run('check', '-q', graph);
    // Written in order: the same disk gives the same file.
    await run('convert', '-m', '8', '-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=64k', graph, target);
  } catch (error) {
    throw convertFailure(error, disk.path);
  }
  // With the disk full, qemu-img can report success: only this does not.
  await host.files.sync(target);
}

function convertFailure(error: unknown, path: HostPath): unknown {
  if (!(error instanceof IngotError) || error.code !== 'command-failed') return error;
  const detail = error.detail ?? '';
  if (/no space left/i.test(detail)) {
    return new IngotError('space', 'disk-full', `The disk became full while ${path} was copied into the store`, { cause: error, detail });
  }
  return new IngotError('verification', 'disk-damaged', `${path} cannot be read to its end`, {
    cause: error,
    detail,
    hint: 'Get it again, and compare its checksum with that of its maker.',
  });
}
