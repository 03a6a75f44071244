import { deflate } from 'node:zlib';
import { promisify } from 'node:util';
import type { Appender } from './appender.ts';
import { inOrder } from './in-order.ts';
import { piecesOf, type DiskSource } from './source.ts';

/*
 * A stream-optimised VMDK (VMware, "Virtual Disk Format 5.0"): compressed grains, each with a marker, tables after what they name, a footer. It is written from
 * its beginning to its end, so it can go into a package as it comes. qemu-img compresses the grains of this format one after the other; here, all cores do.
 */

const SECTOR = 512;
const GRAIN_SECTORS = 128;
const GRAIN = GRAIN_SECTORS * SECTOR;
/** Entries of a grain table: what each covers is 32 MiB. */
const TABLE_ENTRIES = 512;
/** Sectors before the first grain: header, descriptor, and space. */
const OVERHEAD = 128;
const DESCRIPTOR_SECTORS = 20;
const MARKER = { table: 1, directory: 2, footer: 3 } as const;
/** Valid newline test, compressed grains, markers. */
const FLAGS = 0x3_0001;
const DIRECTORY_AT_END = 0xffff_ffff_ffff_ffffn;
/** Read at once. */
const PIECE = 32 * GRAIN;

export interface VmdkOptions {
  /** Of the file, as its own descriptor names it. */
  readonly name: string;
  /** Which content it is: eight hexadecimal digits. */
  readonly contentId: string;
  readonly adapter: 'lsilogic' | 'ide';
  /** Of grains under way at the same time. */
  readonly width: number;
  readonly onProgress?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

const deflated = promisify<Buffer, Buffer>(deflate);

/** Writes a disk to where `out` is, which is a multiple of 512. Returns the bytes written. */
export async function writeVmdkStream(disk: DiskSource, out: Appender, options: VmdkOptions): Promise<number> {
  const start = out.position;
  const sectors = Math.ceil(disk.size / SECTOR);
  const header = vmdkHeader(sectors, DIRECTORY_AT_END);
  await out.add(Buffer.concat([header, vmdkDescriptor(sectors, options)], OVERHEAD * SECTOR));
  const directory: number[] = [];
  let table = new Uint32Array(TABLE_ENTRIES);
  let used = false;
  const sector = (): number => (out.position - start) / SECTOR;
  const endTable = async (): Promise<void> => {
    directory.push(used ? sector() + 1 : 0);
    if (used) await out.add(Buffer.concat([marker((TABLE_ENTRIES * 4) / SECTOR, MARKER.table), littleEndian(table)]));
    table = new Uint32Array(TABLE_ENTRIES);
    used = false;
  };
  const tables = Math.ceil(sectors / (GRAIN_SECTORS * TABLE_ENTRIES));
  await inOrder(
    piecesOf(disk, PIECE),
    Math.max(2, Math.ceil(options.width / 8)),
    async (piece) => {
      options.signal?.throwIfAborted();
      return piece.data ? await grainsOf(await disk.read(piece.start, piece.length)) : [];
    },
    async (grains, piece) => {
      const first = piece.start / GRAIN;
      while (directory.length < Math.floor(first / TABLE_ENTRIES)) await endTable();
      for (const [i, grain] of grains.entries()) {
        if (grain === undefined) continue;
        table[(first + i) % TABLE_ENTRIES] = sector();
        used = true;
        await out.add(grainWithMarker((first + i) * GRAIN_SECTORS, grain));
      }
      options.onProgress?.((100 * (piece.start + piece.length)) / disk.size);
    },
  );
  while (directory.length < tables) await endTable();
  const directoryAt = sector() + 1;
  const directorySectors = Math.ceil((4 * tables) / SECTOR);
  const entries = Buffer.alloc(directorySectors * SECTOR);
  entries.set(littleEndian(Uint32Array.from(directory)));
  const footer = [marker(1, MARKER.footer), vmdkHeader(sectors, BigInt(directoryAt)), Buffer.alloc(SECTOR)];
  await out.add(Buffer.concat([marker(directorySectors, MARKER.directory), entries, ...footer]));
  return out.position - start;
}

/** The grains of a piece, compressed; none for one that is all zeros. */
async function grainsOf(piece: Buffer): Promise<(Buffer | undefined)[]> {
  const grains: Promise<Buffer | undefined>[] = [];
  for (let at = 0; at < piece.length; at += GRAIN) {
    const bytes = piece.subarray(at, at + GRAIN);
    // The last grain of a disk is a whole one as well.
    const whole = bytes.length === GRAIN ? bytes : Buffer.concat([bytes], GRAIN);
    grains.push(whole.equals(ZEROS) ? Promise.resolve(undefined) : deflated(whole));
  }
  return await Promise.all(grains);
}

const ZEROS = Buffer.alloc(GRAIN);

function grainWithMarker(sector: number, data: Buffer): Buffer {
  const size = 12 + data.length;
  const bytes = Buffer.alloc(Math.ceil(size / SECTOR) * SECTOR);
  bytes.writeBigUInt64LE(BigInt(sector), 0);
  bytes.writeUInt32LE(data.length, 8);
  bytes.set(data, 12);
  return bytes;
}

function marker(sectors: number, type: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeBigUInt64LE(BigInt(sectors), 0);
  bytes.writeUInt32LE(type, 12);
  return bytes;
}

function littleEndian(words: Uint32Array): Buffer {
  const bytes = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(word, 4 * i);
  return bytes;
}

/** The header, which is the footer as well, then with the directory's place. */
export function vmdkHeader(sectors: number, directoryAt: bigint): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.write('KDMV', 0, 'latin1');
  bytes.writeUInt32LE(3, 4);
  bytes.writeUInt32LE(FLAGS, 8);
  bytes.writeBigUInt64LE(BigInt(sectors), 12);
  bytes.writeBigUInt64LE(BigInt(GRAIN_SECTORS), 20);
  bytes.writeBigUInt64LE(1n, 28);
  bytes.writeBigUInt64LE(BigInt(DESCRIPTOR_SECTORS), 36);
  bytes.writeUInt32LE(TABLE_ENTRIES, 44);
  bytes.writeBigUInt64LE(directoryAt, 56);
  bytes.writeBigUInt64LE(BigInt(OVERHEAD), 64);
  bytes.write('\n \r\n', 73, 'latin1');
  bytes.writeUInt16LE(1, 77);
  return bytes;
}

/** The text that describes the disk to VMware. */
export function vmdkDescriptor(sectors: number, { name, contentId, adapter }: Pick<VmdkOptions, 'name' | 'contentId' | 'adapter'>): Buffer {
  const [heads, perTrack] = adapter === 'ide' ? [16, 63] : [255, 63];
  const text = `# Disk DescriptorFile
version=1
CID=${contentId}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW ${sectors} SPARSE "${name}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "13"
ddb.geometry.cylinders = "${Math.max(1, Math.min(65_535, Math.floor(sectors / (heads * perTrack))))}"
ddb.geometry.heads = "${heads}"
ddb.geometry.sectors = "${perTrack}"
ddb.adapterType = "${adapter}"
`;
  return Buffer.concat([Buffer.from(text)], DESCRIPTOR_SECTORS * SECTOR);
}
