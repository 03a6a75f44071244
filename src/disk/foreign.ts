import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';
import { confine } from './confine.ts';
import { QCOW2_LIMITS, readQcow2Header } from './qcow2.ts';
import { readOva } from './ova.ts';
import { readVhd, VHD_MAGIC } from './vhd.ts';
import { readVhdx } from './vhdx.ts';
import { readVmdkHeader, VMDK_MAGIC } from './vmdk.ts';

/*
 * Disks from elsewhere: what they are is decided here, by their first bytes, before any tool of QEMU sees them, and QEMU is told the format and
 * that there is no backing file.
 */

export interface ForeignDisk {
  readonly path: HostPath;
  readonly format: 'qcow2' | 'raw' | 'vmdk' | 'vpc' | 'vhdx';
  /** Bytes of the disk. */
  readonly size: number;
  /** Where in the file the disk lies, where that is not the whole: in a package, and before the footer of a fixed VHD. */
  readonly part?: { readonly position: number; readonly size: number };
}

/** Bytes; no image of a system is larger. */
const LARGEST = 2 * 2 ** 40;
const SECTOR = 512;

/** What people take for a disk image, by its first bytes: name and how to make a disk of it. */
const OTHERS: readonly { readonly magic: string; readonly name: string; readonly hint: string }[] = [
  { magic: '# Disk DescriptorFile', name: 'the descriptor of a VMDK disk', hint: 'Convert it first: qemu-img convert -f vmdk -O qcow2 IN OUT' },
  { magic: '<<< ', name: 'a VirtualBox disk', hint: 'Convert it first: qemu-img convert -f vdi -O qcow2 IN OUT' },
  { magic: 'PK\u0003\u0004', name: 'a zip archive', hint: 'Unpack it first.' },
];

/** How an archive that is a package begins: with the name of its descriptor. */
const PACKAGE_NAME = /^[^\0]{1,96}\.ovf\0/i;

/** How a file can be packed, by its first bytes. */
const PACKINGS = { gz: '\u001F\u008B', xz: '\u00FD7zXZ', zst: '(\u00B5/\u00FD', bz2: 'BZh' } as const;
export type Packing = keyof typeof PACKINGS;

/** How a file is packed, and whether what is there is a tar archive, by its first bytes alone. A package (OVA) is an archive, too, and read as it is. */
export async function packingOf(files: Files, path: HostPath): Promise<Packing | 'tar' | undefined> {
  const head = Buffer.from(await files.readPart(path, 0, SECTOR)).toString('latin1');
  if (head.slice(257, 262) === 'ustar') return PACKAGE_NAME.test(head) ? undefined : 'tar';
  const packings: Packing[] = ['gz', 'xz', 'zst', 'bz2'];
  return packings.find((name) => head.startsWith(PACKINGS[name]));
}

/** What a raw disk shows of itself: where, and the bytes there. */
const RAW_SIGNS: readonly (readonly [number, string])[] = [
  [SECTOR, 'EFI PART'],
  [0, 'XFSB'],
  [1080, '\u0053\u00EF'], // ext4
  [65_600, '_BHRfS_M'],
];
const ISO_SIGN = [32_769, 'CD001'] as const;
const MBR = { sign: 510, table: 446, entry: 16, type: 4 } as const;

/** A partition table of the older kind, with something in it: boot sectors end with the same two bytes. */
function hasMbr(head: Buffer): boolean {
  if (head.toString('latin1', MBR.sign, MBR.sign + 2) !== '\u0055\u00AA') return false;
  return [0, 1, 2, 3].some((i) => {
    const at = MBR.table + i * MBR.entry;
    const [flag = 0, type = 0] = [head[at], head[at + MBR.type]];
    return (flag === 0 || flag === 0x80) && type !== 0 && head.readUInt32LE(at + 12) > 0;
  });
}

/**
 * Says what a file is, by its first bytes alone. Throws `disk-unknown`, `qcow2-invalid` for a qcow2 that names another file, is encrypted,
 * damaged, or beyond what a sane image has, and `vmdk-invalid`, `vhd-invalid`, `vhdx-invalid`, `ova-invalid`, where one stands on another disk `vhd-parent-missing`
 * and `vhdx-parent-missing`.
 */
export async function identifyDisk(files: Files, path: HostPath): Promise<ForeignDisk> {
  const status = await files.status(path);
  if (status?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${path} is not a file`);
  const head = Buffer.from(await files.readPart(path, 0, QCOW2_LIMITS.headerBytes));
  if (head.subarray(0, 4).toString('latin1') === 'QFI\u00FB') return { path, format: 'qcow2', size: limited(path, await qcow2Size(files, path)) };
  const other = OTHERS.find(({ magic }) => head.subarray(0, magic.length).toString('latin1') === magic);
  if (other !== undefined) throw unknown(path, `it is ${other.name}`, other.hint);
  if (head.toString('latin1', 0, 4) === VMDK_MAGIC) return { path, format: 'vmdk', size: limited(path, await vmdkSize(files, path)) };
  const found = (await findVhd(files, path, head, status.size)) ?? (await findPacked(files, path, head));
  if (found !== undefined) return found;
  const more = Buffer.concat([head, Buffer.from(await files.readPart(path, head.length, SECTOR))]);
  const has = ([at, sign]: readonly [number, string]): boolean => more.toString('latin1', at, at + sign.length) === sign;
  if (has(ISO_SIGN)) throw unknown(path, 'it is an installer, or another CD', 'A disk on which a system is installed is what it takes.');
  if (!RAW_SIGNS.some(has) && !hasMbr(head)) {
    throw unknown(
      path,
      'it is neither qcow2, VMDK, VHD, VHDX, nor a package (OVA), nor a raw disk with a partition table or a file system',
      'What is packed is unpacked: gz, xz, zst, bz2.',
    );
  }
  return { path, format: 'raw', size: limited(path, Math.ceil(status.size / SECTOR) * SECTOR) };
}

/** A VHD, whose only sure sign is at its end, or a VHDX. */
async function findVhd(files: Files, path: HostPath, head: Buffer, end: number): Promise<ForeignDisk | undefined> {
  if (head.toString('latin1', 0, 8) === 'vhdxfile') return { path, format: 'vhdx', size: limited(path, (await readVhdx(files, path)).size) };
  const last = end < SECTOR ? '' : Buffer.from(await files.readPart(path, end - SECTOR, 8)).toString('latin1');
  if (last !== VHD_MAGIC && head.toString('latin1', 0, 8) !== VHD_MAGIC) return undefined;
  const { kind, size } = await readVhd(files, path);
  // What comes before the footer is the disk itself, of as many bytes as the footer says.
  if (kind === 'fixed') return { path, format: 'raw', size: limited(path, size), part: { position: 0, size } };
  return { path, format: 'vpc', size: limited(path, size) };
}

/** The disk in a package, which is an archive that begins with a descriptor. */
async function findPacked(files: Files, path: HostPath, head: Buffer): Promise<ForeignDisk | undefined> {
  if (head.toString('latin1', 257, 262) !== 'ustar' || !PACKAGE_NAME.test(head.toString('latin1', 0, 101))) return undefined;
  const part = await readOva(files, path);
  const inside = {
    readPart: (file: string, at: number, length: number) => files.readPart(file, part.position + at, Math.min(length, Math.max(0, part.size - at))),
  };
  return { path, format: 'vmdk', size: limited(path, await vmdkSize(inside, path)), part };
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

async function vmdkSize(files: Pick<Files, 'readPart'>, path: HostPath): Promise<number> {
  try {
    return (await readVmdkHeader(files, path)).virtualSize;
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    throw new IngotError(error.class, error.code, `${path}: ${error.message}`, { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) });
  }
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

/** QEMU reads no other file, and takes a VHD's size from where it stands in bytes. */
const DRIVER_OPTIONS: Readonly<Record<ForeignDisk['format'], object>> = {
  qcow2: { backing: null },
  vmdk: { backing: null },
  vpc: { force_size_calc: 'current_size' },
  vhdx: {},
  raw: {},
};

const CONVERT_SECONDS = 3600;
/** What `qemu-img check` ends with where space is lost and nothing else is wrong. */
const LEAKS = 3;
/** Bytes of address space, and seconds of processor time: a header that passes can still lead to tables made to exhaust. */
const LIMITS = { memory: 4 * 2 ** 30, seconds: CONVERT_SECONDS } as const;

/**
 * Copies a disk into a new qcow2 of ingot's own making, compressed, standing on nothing. Tables that point to the same data again and again
 * cannot make it larger than the file warrants. qemu-img sees the two files and nothing else. Throws `disk-damaged` with qemu-img's words, `disk-full`, and `interrupted`.
 */
export async function takeDisk(host: Pick<Host, 'files' | 'processes' | 'machine'>, disk: ForeignDisk, target: HostPath, signal: AbortSignal): Promise<void> {
  const { size = 0 } = (await host.files.status(disk.path)) ?? {};
  const { command } = await confine(host, { ...LIMITS, reads: [disk.path], writes: target, fileSize: 2 * size + 64 * 2 ** 20 });
  const graph = graphOf(disk);
  try {
    // What lies beyond the end of a file that was cut off would otherwise read as zeros.
    if (disk.format === 'qcow2') await runCheck(host, command, graph, signal);
    // Written in order: the same disk gives the same file.
    const words = ['-m', '8', '-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=64k', graph, target];
    await host.processes.run(command(['qemu-img', 'convert', ...words]), { timeout: CONVERT_SECONDS, signal });
  } catch (error) {
    throw convertFailure(error, disk.path);
  }
  // With the disk full, qemu-img can report success: only this does not.
  await host.files.sync(target);
}

/** Checks a qcow2 that is used as it is. Throws `disk-damaged` with qemu-img's words. */
export async function checkDisk(host: Pick<Host, 'files' | 'processes' | 'machine'>, disk: ForeignDisk, signal: AbortSignal): Promise<void> {
  const { command } = await confine(host, { ...LIMITS, reads: [disk.path] });
  try {
    await runCheck(host, command, graphOf(disk), signal);
  } catch (error) {
    throw convertFailure(error, disk.path);
  }
}

function graphOf({ path, format, part }: ForeignDisk): string {
  const file = { driver: 'file', filename: path, 'read-only': true };
  const bytes = part === undefined ? file : { driver: 'raw', offset: part.position, size: part.size, 'read-only': true, file };
  return `json:${JSON.stringify({ driver: format, 'read-only': true, file: bytes, ...DRIVER_OPTIONS[format] })}`;
}

async function runCheck(host: Pick<Host, 'processes'>, command: (argv: Argv) => Argv, graph: string, signal: AbortSignal): Promise<void> {
  await host.processes.run(command(['qemu-img', 'check', '-q', graph]), { timeout: CONVERT_SECONDS, signal, accept: [LEAKS] });
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
