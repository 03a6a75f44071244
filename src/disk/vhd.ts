import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';

/*
 * The footer of a VHD (Microsoft, "Virtual Hard Disk Image Format Specification" 1.0), read by ingot itself: a disk's size stands there twice, as bytes and as
 * cylinders, heads and sectors, and they differ. QEMU believes one or the other by who made the file; here the bytes count, as for XenServer and Azure.
 */

export interface VhdFooter {
  readonly kind: 'fixed' | 'dynamic' | 'differencing';
  /** Bytes of the disk. */
  readonly size: number;
  /** Bytes that cylinders, heads and sectors make. */
  readonly geometrySize: number;
  /** Four letters of the program that made it. */
  readonly creator: string;
  /** Where the header of a dynamic disk is, in bytes. */
  readonly headerAt: number;
}

export interface VhdHeader {
  readonly tableAt: number;
  readonly entries: number;
  readonly blockSize: number;
}

/** How a footer begins. */
export const VHD_MAGIC = 'conectix';
const FOOTER = 512;
const HEADER = 1024;
const KINDS: Readonly<Record<number, VhdFooter['kind']>> = { 2: 'fixed', 3: 'dynamic', 4: 'differencing' };
/** Bytes: more cannot be addressed by a dynamic one. */
const LARGEST = 2040 * 2 ** 30;
const BLOCKS = { smallest: 2 ** 12, largest: 2 ** 28 } as const;

export function vhdInvalid(why: string): IngotError {
  return new IngotError('verification', 'vhd-invalid', `This is not a VHD that ingot accepts: ${why}`, {
    hint: 'Get it again, and compare its checksum with that of its maker.',
  });
}

/** The sum that a footer or header carries: the complement of all other bytes. */
export function vhdChecksum(bytes: Uint8Array, at: number): number {
  const sum = bytes.reduce((all, byte, i) => (i >= at && i < at + 4 ? all : all + byte), 0);
  return ~sum >>> 0;
}

/** Parses and checks a footer of 512 bytes; throws `vhd-invalid`, on whatever input. */
export function parseVhdFooter(data: Uint8Array): VhdFooter {
  const bytes = Buffer.from(data);
  if (bytes.length < FOOTER || bytes.toString('latin1', 0, 8) !== VHD_MAGIC) throw vhdInvalid('it has no footer');
  if (bytes.readUInt32BE(64) !== vhdChecksum(bytes.subarray(0, FOOTER), 64)) throw vhdInvalid('its footer is damaged');
  const kind = KINDS[bytes.readUInt32BE(60)];
  if (kind === undefined) throw vhdInvalid(`its type ${bytes.readUInt32BE(60)} is unknown`);
  const size = Number(bytes.readBigUInt64BE(48));
  if (size === 0 || size > LARGEST) throw vhdInvalid(`a disk of ${size} bytes`);
  const headerAt = kind === 'fixed' ? 0 : Number(bytes.readBigUInt64BE(16));
  if (!Number.isSafeInteger(headerAt)) throw vhdInvalid('its header is nowhere');
  const geometrySize = bytes.readUInt16BE(56) * bytes.readUInt8(58) * bytes.readUInt8(59) * FOOTER;
  return { kind, size, geometrySize, creator: bytes.toString('latin1', 28, 32), headerAt };
}

/** Parses and checks the header of a dynamic disk of `size` bytes; throws `vhd-invalid`. */
export function parseVhdHeader(data: Uint8Array, size: number): VhdHeader {
  const bytes = Buffer.from(data);
  if (bytes.length < HEADER || bytes.toString('latin1', 0, 8) !== 'cxsparse') throw vhdInvalid('it has no header');
  if (bytes.readUInt32BE(36) !== vhdChecksum(bytes.subarray(0, HEADER), 36)) throw vhdInvalid('its header is damaged');
  const header = { tableAt: Number(bytes.readBigUInt64BE(16)), entries: bytes.readUInt32BE(28), blockSize: bytes.readUInt32BE(32) };
  const { blockSize } = header;
  if (blockSize < BLOCKS.smallest || blockSize > BLOCKS.largest || (blockSize & (blockSize - 1)) !== 0) throw vhdInvalid(`blocks of ${blockSize} bytes`);
  if (header.entries < Math.ceil(size / blockSize)) throw vhdInvalid('its table is too short for its size');
  if (header.entries > Math.ceil(LARGEST / blockSize)) throw vhdInvalid('its table is longer than that of the largest disk');
  return header;
}

/**
 * Reads a VHD's footer, and checks that what it leads to lies in the file. Throws `vhd-invalid`; for a differencing disk, which is a part of a
 * chain, `vhd-parent-missing`.
 */
export async function readVhd(files: Pick<Files, 'status' | 'readPart'>, path: string): Promise<VhdFooter> {
  const end = (await files.status(path))?.size ?? 0;
  if (end < FOOTER) throw vhdInvalid('it is too short');
  const footer = parseVhdFooter(await files.readPart(path, end - FOOTER, FOOTER));
  if (footer.kind === 'differencing') {
    throw new IngotError('verification', 'vhd-parent-missing', `${path} is not a whole disk: it holds the differences to another VHD`, {
      hint: 'Merge it with its parent first, in the program that made it.',
    });
  }
  if (footer.kind === 'fixed') {
    if (footer.size > end - FOOTER) throw vhdInvalid(`it says that it is a disk of ${footer.size} bytes, and holds ${end - FOOTER}`);
    return footer;
  }
  const copy = Buffer.from(await files.readPart(path, 0, FOOTER));
  const last = Buffer.from(await files.readPart(path, end - FOOTER, FOOTER));
  if (!copy.equals(last)) throw vhdInvalid('the copy of its footer at the beginning is another one');
  if (footer.headerAt + HEADER > end) throw vhdInvalid('its header lies outside of it');
  const header = parseVhdHeader(await files.readPart(path, footer.headerAt, HEADER), footer.size);
  if (!Number.isSafeInteger(header.tableAt) || header.tableAt + 4 * header.entries > end) throw vhdInvalid('its table lies outside of it');
  return footer;
}
