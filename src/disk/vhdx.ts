import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';

/*
 * The metadata of a VHDX (Microsoft, MS-VHDX), read by ingot itself before any tool of QEMU sees the file: its size, and whether it stands on another disk or has
 * changes in its log that were never written out.
 */

const AT = { headers: [64 * 2 ** 10, 128 * 2 ** 10], regions: [192 * 2 ** 10, 256 * 2 ** 10] } as const;
const HEADER = 80;
const TABLE = 64 * 2 ** 10;
const ENTRY = 32;
const REGION_ENTRIES = 2047;
const METADATA_ENTRIES = 2047;
const METADATA_LARGEST = 2 ** 20;
const LARGEST = 64 * 2 ** 40;
const GUID = {
  metadata: guid('8b7ca206-4790-4b9a-b8fe-575f050f886e'),
  parameters: guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b'),
  size: guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8'),
} as const;
const HAS_PARENT = 2;

/** A GUID as it lies in the file: its first three groups in little-endian order. */
function guid(text: string): string {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  const swapped = [3, 2, 1, 0, 5, 4, 7, 6].map((i) => bytes[i] ?? 0);
  return Buffer.from([...swapped, ...bytes.subarray(8)]).toString('hex');
}

function invalid(why: string): IngotError {
  return new IngotError('verification', 'vhdx-invalid', `This is not a VHDX that ingot accepts: ${why}`, {
    hint: 'Get it again, and compare its checksum with that of its maker.',
  });
}

/**
 * Reads and checks a VHDX's headers. Throws `vhdx-invalid`, on whatever input; for a differencing disk, which is a part of a chain, `vhdx-parent-missing`.
 */
export async function readVhdx(files: Pick<Files, 'status' | 'readPart'>, path: string): Promise<{ readonly size: number }> {
  const end = (await files.status(path))?.size ?? 0;
  const part = async (at: number, length: number): Promise<Buffer> => {
    const bytes = at + length > end ? Buffer.alloc(0) : Buffer.from(await files.readPart(path, at, length));
    if (bytes.length < length) throw invalid('it is cut off');
    return bytes;
  };
  if ((await part(0, 8)).toString('latin1') !== 'vhdxfile') throw invalid('it does not begin as one');
  const header = currentHeader(await Promise.all(AT.headers.map((at) => part(at, HEADER))));
  if (header.subarray(48, 64).some((byte) => byte !== 0)) throw invalid('its log holds changes that were never written out; open it once with what made it');
  const metadata = metadataRegion(await Promise.all(AT.regions.map((at) => part(at, TABLE))));
  if (metadata.length > METADATA_LARGEST) throw invalid('its metadata is too large');
  const items = metadataItems(await part(metadata.at, metadata.length));
  const [parameters, size] = [items.get(GUID.parameters), items.get(GUID.size)];
  if (parameters === undefined || parameters.length < 8 || size === undefined || size.length < 8) throw invalid('its metadata is not whole');
  if ((parameters.readUInt32LE(4) & HAS_PARENT) !== 0) {
    throw new IngotError('verification', 'vhdx-parent-missing', `${path} is not a whole disk: it holds the differences to another VHDX`, {
      hint: 'Merge it with its parent first (Merge-VHD).',
    });
  }
  const bytes = size.readBigUInt64LE(0);
  if (bytes === 0n || bytes > BigInt(LARGEST) || bytes % 512n !== 0n) throw invalid(`a disk of ${bytes} bytes`);
  return { size: Number(bytes) };
}

/** Of the two headers the one that was written last. */
function currentHeader(headers: readonly Buffer[]): Buffer {
  const sound = headers.filter((header) => header.toString('latin1', 0, 4) === 'head');
  const [first] = sound.toSorted((a, b) => (a.readBigUInt64LE(8) < b.readBigUInt64LE(8) ? 1 : -1));
  if (first === undefined) throw invalid('it has no header');
  if (first.readUInt16LE(66) !== 1) throw invalid(`it is of version ${first.readUInt16LE(66)}`);
  return first;
}

function metadataRegion(tables: readonly Buffer[]): { readonly at: number; readonly length: number } {
  const table = tables.find((one) => one.toString('latin1', 0, 4) === 'regi');
  if (table === undefined) throw invalid('it has no table of regions');
  const count = table.readUInt32LE(8);
  if (count > REGION_ENTRIES) throw invalid('its table of regions is too long');
  for (let i = 0; i < count; i++) {
    const at = 16 + i * ENTRY;
    if (table.toString('hex', at, at + 16) !== GUID.metadata) continue;
    const offset = table.readBigUInt64LE(at + 16);
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('its metadata is nowhere');
    return { at: Number(offset), length: table.readUInt32LE(at + 24) };
  }
  throw invalid('it has no metadata');
}

/** The items of a metadata region, by their GUIDs. */
function metadataItems(region: Buffer): Map<string, Buffer> {
  if (region.length < ENTRY || region.toString('latin1', 0, 8) !== 'metadata') throw invalid('its metadata is damaged');
  const count = region.readUInt16LE(10);
  if (count > METADATA_ENTRIES || ENTRY * (count + 1) > region.length) throw invalid('its metadata is damaged');
  const items = new Map<string, Buffer>();
  for (let i = 1; i <= count; i++) {
    const at = i * ENTRY;
    const [offset, length] = [region.readUInt32LE(at + 16), region.readUInt32LE(at + 20)];
    if (offset + length > region.length) throw invalid('its metadata is damaged');
    items.set(region.toString('hex', at, at + 16), region.subarray(offset, offset + length));
  }
  return items;
}
