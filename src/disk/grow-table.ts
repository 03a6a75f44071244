import { crc32 } from 'node:zlib';
import { IngotError } from '../base/errors.ts';
import { SECTOR } from './layout.ts';

/*
 * Makes a partition of a table reach the end of a larger disk (UEFI specification 2.10, 5.3 "GUID Partition Table"; the older table has no
 * specification). Read and written by ingot itself: not every host has sfdisk, and a table is a few bytes.
 */

/** Bytes at the start of a disk that hold its partition table. */
export const TABLE_HEAD = 34 * SECTOR;
const GPT = {
  sign: 'EFI PART',
  at: SECTOR,
  headerSize: 12,
  crc: 16,
  own: 24,
  other: 32,
  lastUsable: 48,
  entriesAt: 72,
  entries: 80,
  entrySize: 84,
  entriesCrc: 88,
} as const;
const ENTRY = { last: 40 } as const;
const MBR = { table: 446, entry: 16, type: 4, start: 8, sectors: 12, sign: 510 } as const;
const PROTECTIVE = 0xee;
/** Sectors that the older table can name. */
const MBR_MOST = 2 ** 32 - 1;
/** A disk's last partition ends at a whole MiB before the copy of the table, as tools leave it. */
const ALIGNMENT = 2048;

/** Bytes to write, and where on the disk. */
export interface Write {
  readonly at: number;
  readonly bytes: Buffer;
}

/**
 * What to write so that a partition reaches the end of the disk, where it is the last one on it; and its new size in bytes. `head` are the first
 * {@link TABLE_HEAD} bytes, `size` those of the disk. Pure. Throws `table-unreadable`.
 */
export function growTable(head: Buffer, size: number, number: number): { readonly writes: readonly Write[]; readonly size: number } {
  return head.toString('latin1', GPT.at, GPT.at + GPT.sign.length) === GPT.sign ? growGpt(head, size, number) : growMbr(head, size, number);
}

function growGpt(head: Buffer, size: number, number: number): { readonly writes: readonly Write[]; readonly size: number } {
  const header = Buffer.from(head.subarray(GPT.at, GPT.at + SECTOR));
  const length = header.readUInt32LE(GPT.headerSize);
  const [count, entrySize] = [header.readUInt32LE(GPT.entries), header.readUInt32LE(GPT.entrySize)];
  const at = Number(header.readBigUInt64LE(GPT.entriesAt)) * SECTOR;
  if (length < 92 || length > SECTOR || entrySize < 128 || number < 1 || number > count || at + count * entrySize > head.length) throw unreadable();
  const entries = Buffer.from(head.subarray(at, at + count * entrySize));
  const entry = entries.subarray((number - 1) * entrySize, number * entrySize);
  const sectors = Math.floor(size / SECTOR);
  const entrySectors = Math.ceil(entries.length / SECTOR);
  const lastUsable = sectors - 2 - entrySectors;
  const last = Math.floor((lastUsable + 1) / ALIGNMENT) * ALIGNMENT - 1;
  const first = Number(entry.readBigUInt64LE(32));
  if (last < Number(entry.readBigUInt64LE(ENTRY.last))) throw unreadable();
  entry.writeBigUInt64LE(BigInt(last), ENTRY.last);
  header.writeUInt32LE(crc32(entries), GPT.entriesCrc);
  header.writeBigUInt64LE(BigInt(lastUsable), GPT.lastUsable);
  const copy = Buffer.from(header);
  header.writeBigUInt64LE(BigInt(sectors - 1), GPT.other);
  copy.writeBigUInt64LE(BigInt(sectors - 1), GPT.own);
  copy.writeBigUInt64LE(1n, GPT.other);
  copy.writeBigUInt64LE(BigInt(sectors - 1 - entrySectors), GPT.entriesAt);
  for (const each of [header, copy]) {
    each.writeUInt32LE(0, GPT.crc);
    each.writeUInt32LE(crc32(each.subarray(0, length)), GPT.crc);
  }
  const writes = [
    { at: (sectors - 1 - entrySectors) * SECTOR, bytes: entries },
    { at: (sectors - 1) * SECTOR, bytes: copy },
    { at, bytes: entries },
    { at: GPT.at, bytes: header },
    ...protective(head, sectors),
  ];
  return { writes, size: (last + 1 - first) * SECTOR };
}

/** The older table beside GPT's, which says that the whole disk is taken. */
function protective(head: Buffer, sectors: number): Write[] {
  return [0, 1, 2, 3].flatMap((i) => {
    const at = MBR.table + i * MBR.entry;
    if (head[at + MBR.type] !== PROTECTIVE) return [];
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(Math.min(sectors - 1, MBR_MOST));
    return [{ at: at + MBR.sectors, bytes }];
  });
}

function growMbr(head: Buffer, size: number, number: number): { readonly writes: readonly Write[]; readonly size: number } {
  // Logical partitions are in a chain of tables within another partition.
  if (head.readUInt16BE(MBR.sign) !== 0x55aa || number < 1 || number > 4) throw unreadable();
  const at = MBR.table + (number - 1) * MBR.entry;
  const start = head.readUInt32LE(at + MBR.start);
  const sectors = Math.min(Math.floor(size / SECTOR / ALIGNMENT) * ALIGNMENT - start, MBR_MOST);
  if (sectors < head.readUInt32LE(at + MBR.sectors)) throw unreadable();
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(sectors);
  return { writes: [{ at: at + MBR.sectors, bytes }], size: sectors * SECTOR };
}

function unreadable(): IngotError {
  return new IngotError('verification', 'table-unreadable', 'The partition table of the disk cannot be changed', {
    hint: 'Leave the size of the disk as it is: a VM that has a larger one grows at its first boot.',
  });
}
