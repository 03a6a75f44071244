import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';

/*
 * The header of a qcow2 file, read and written by ingot itself (QEMU: docs/interop/qcow2.txt). A file from elsewhere is checked here
 * before any tool of QEMU sees it: a header can name any file of the host as backing or data file.
 */

export interface Backing {
  readonly name: string;
  /** Format of the backing file; a file that names none would be probed. */
  readonly format: string | undefined;
}

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** Bytes of the disk that a guest sees. */
  readonly virtualSize: number;
  readonly backing: Backing | undefined;
  readonly compression: 'zlib' | 'zstd';
  readonly extendedL2: boolean;
  readonly snapshots: number;
}

/** The extensions that matter by number (docs/interop/qcow2.txt, "header extensions"). */
const EXTENSION = { end: 0, backingFormat: 0xe2792aca, externalData: 0x44415441 } as const;
/** Incompatible feature bits. */
const FEATURE = { dirty: 1n, corrupt: 2n, externalData: 4n, compression: 8n, extendedL2: 16n } as const;
const KNOWN_FEATURES = Object.values(FEATURE).reduce((all, bit) => all | bit, 0n);

/** What is accepted. The name's and the tables' limits are QEMU's own; the rest is what no sane image exceeds. */
export const QCOW2_LIMITS = {
  /** The header, its extensions and the backing name must lie in these first bytes. */
  headerBytes: 64 * 2 ** 10,
  virtualSize: 64 * 2 ** 40,
  backingName: 1023,
  l1Bytes: 32 * 2 ** 20,
  refcountTableBytes: 8 * 2 ** 20,
  snapshots: 65_536,
  extensions: 64,
} as const;

const V2_LENGTH = 72;
const V3_LENGTH = 104;
const MAGIC = 0x514649fb;

function invalid(why: string): IngotError {
  return new IngotError('verification', 'qcow2-invalid', `This is not a qcow2 file that ingot accepts: ${why}`);
}

/**
 * Parses and checks a header. `bytes` are the first ones of the file, {@link QCOW2_LIMITS}.headerBytes or the whole file where it is
 * shorter; with `fileSize`, the tables must lie inside the file. Throws `qcow2-invalid`, on whatever input.
 */
export function parseQcow2Header(bytes: Uint8Array, fileSize?: number): Qcow2Header {
  const raw = parseRaw(bytes, fileSize);
  return {
    version: raw.version,
    clusterBits: raw.clusterBits,
    virtualSize: raw.virtualSize,
    backing: raw.backing,
    compression: raw.zstd ? 'zstd' : 'zlib',
    extendedL2: (raw.incompatible & FEATURE.extendedL2) !== 0n,
    snapshots: raw.snapshots,
  };
}

/** Reads and checks the header of a file; throws `qcow2-invalid` with the path, and system errors. */
export async function readQcow2Header(files: Files, path: string): Promise<Qcow2Header> {
  const status = await files.status(path);
  if (status?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${path} is not a file`);
  try {
    return parseQcow2Header(await files.readPart(path, 0, QCOW2_LIMITS.headerBytes), status.size);
  } catch (error) {
    if (error instanceof IngotError) throw new IngotError(error.class, error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Rewrites the backing name in the header of a file; the rest of the file stays. The image below is not looked at. */
export async function setBacking(files: Files, path: string, backing: { readonly name: string; readonly format: string }): Promise<void> {
  const status = await files.status(path);
  if (status?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${path} is not a file`);
  await files.writePart(path, 0, withBacking(await files.readPart(path, 0, QCOW2_LIMITS.headerBytes), backing));
}

/**
 * The first bytes of a file with another backing name: header, extensions and name; what follows in the file stays. Throws
 * `qcow2-invalid` where the header is not accepted or the name does not fit into the first cluster.
 */
export function withBacking(bytes: Uint8Array, backing: { readonly name: string; readonly format: string }): Uint8Array {
  const raw = parseRaw(bytes);
  const others = raw.extensions.filter(({ type }) => type !== EXTENSION.backingFormat);
  const header = Buffer.from(bytes.subarray(0, raw.headerLength));
  const extensions = encodeExtensions([{ type: EXTENSION.backingFormat, data: Buffer.from(backing.format) }, ...others]);
  const name = Buffer.from(backing.name);
  const end = header.length + extensions.length + name.length;
  if (name.length === 0 || name.length > QCOW2_LIMITS.backingName) throw invalid(`a backing name of ${name.length} bytes`);
  if (end > 2 ** raw.clusterBits) throw invalid('the backing name does not fit into the first cluster');
  header.writeBigUInt64BE(BigInt(header.length + extensions.length), 8);
  header.writeUInt32BE(name.length, 16);
  return Buffer.concat([header, extensions, name]);
}

/**
 * A whole, empty qcow2 file (version 3): header, refcount table and block, L1 table. For small files made without QEMU, as tests and
 * samples need them. The L1 table must fit into one cluster.
 */
export function emptyQcow2(options: {
  readonly virtualSize: number;
  readonly clusterBits?: number;
  readonly backing?: { readonly name: string; readonly format: string };
}): Uint8Array {
  const { virtualSize, clusterBits = 16, backing } = options;
  const cluster = 2 ** clusterBits;
  const l1Size = Math.max(1, Math.ceil(virtualSize / (cluster * (cluster / 8))));
  if (l1Size * 8 > cluster) throw invalid(`${virtualSize} bytes need more than one cluster of ${cluster} bytes for the L1 table`);
  const file = Buffer.alloc(4 * cluster);
  file.writeUInt32BE(MAGIC, 0);
  file.writeUInt32BE(3, 4);
  file.writeUInt32BE(clusterBits, 20);
  file.writeBigUInt64BE(BigInt(virtualSize), 24);
  file.writeUInt32BE(l1Size, 36);
  file.writeBigUInt64BE(BigInt(3 * cluster), 40);
  file.writeBigUInt64BE(BigInt(cluster), 48);
  file.writeUInt32BE(1, 56);
  file.writeUInt32BE(4, 96);
  file.writeUInt32BE(V3_LENGTH, 100);
  file.writeBigUInt64BE(BigInt(2 * cluster), cluster);
  for (let used = 0; used < 4; used++) file.writeUInt16BE(1, 2 * cluster + 2 * used);
  if (backing !== undefined) file.set(withBacking(file, backing));
  return file;
}

interface Extension {
  readonly type: number;
  readonly data: Buffer;
}

interface RawHeader {
  readonly version: 2 | 3;
  readonly headerLength: number;
  readonly clusterBits: number;
  readonly virtualSize: number;
  readonly incompatible: bigint;
  readonly zstd: boolean;
  readonly snapshots: number;
  readonly extensions: readonly Extension[];
  readonly backing: Backing | undefined;
}

function parseRaw(input: Uint8Array, fileSize?: number): RawHeader {
  const bytes = Buffer.from(input.buffer, input.byteOffset, Math.min(input.byteLength, QCOW2_LIMITS.headerBytes));
  if (bytes.length < V2_LENGTH || bytes.readUInt32BE(0) !== MAGIC) throw invalid('it does not start like one');
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw invalid(`version ${version}`);
  if (version === 3 && bytes.length < V3_LENGTH) throw invalid('its header is cut off');
  const headerLength = version === 2 ? V2_LENGTH : bytes.readUInt32BE(100);
  const clusterBits = bytes.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw invalid(`clusters of 2^${clusterBits} bytes`);
  const cluster = 2 ** clusterBits;
  const room = Math.min(cluster, bytes.length);
  if (version === 3 && (headerLength < V3_LENGTH || headerLength % 8 !== 0 || headerLength > room)) throw invalid(`a header of ${headerLength} bytes`);

  const virtualSize = bounded(bytes.readBigUInt64BE(24), QCOW2_LIMITS.virtualSize, 'a disk');
  if (virtualSize === 0) throw invalid('a disk of 0 bytes');
  if (bytes.readUInt32BE(32) !== 0) throw invalid('it is encrypted');
  const incompatible = version === 3 ? bytes.readBigUInt64BE(72) : 0n;
  checkFeatures(incompatible);
  const zstd = checkCompression(incompatible, headerLength > V3_LENGTH ? bytes.readUInt8(104) : 0);
  checkTables(bytes, { cluster, virtualSize, incompatible, fileSize, refcountOrder: version === 3 ? bytes.readUInt32BE(96) : 4 });
  const snapshots = bytes.readUInt32BE(60);
  if (snapshots > QCOW2_LIMITS.snapshots) throw invalid(`${snapshots} snapshots`);

  const nameOffset = bounded(bytes.readBigUInt64BE(8), Number.MAX_SAFE_INTEGER, 'an offset');
  const nameLength = bytes.readUInt32BE(16);
  const extensions = parseExtensions(bytes.subarray(0, nameOffset === 0 ? room : Math.min(nameOffset, room)), headerLength);
  if (extensions.some(({ type }) => type === EXTENSION.externalData)) throw invalid('its data lie in another file');
  const format = extensions.find(({ type }) => type === EXTENSION.backingFormat)?.data.toString('latin1');
  return {
    version,
    headerLength,
    clusterBits,
    virtualSize,
    incompatible,
    zstd,
    snapshots,
    extensions,
    backing: parseBacking(bytes, nameOffset, nameLength, room, headerLength, format),
  };
}

function parseBacking(bytes: Buffer, offset: number, length: number, room: number, headerLength: number, format: string | undefined): Backing | undefined {
  if (offset === 0) return undefined;
  if (length === 0 || length > QCOW2_LIMITS.backingName) throw invalid(`a backing name of ${length} bytes`);
  if (offset < headerLength || offset + length > room) throw invalid('its backing name lies outside the header');
  const raw = bytes.subarray(offset, offset + length);
  const name = raw.toString('utf8');
  // eslint-disable-next-line no-control-regex -- exactly these are refused: they cut the name short or hide a part of it.
  if (!Buffer.from(name).equals(raw) || /[\u0000-\u001f\u007f]/.test(name)) throw invalid('its backing name is not plain text');
  return { name, format };
}

function checkFeatures(incompatible: bigint): void {
  if ((incompatible & FEATURE.externalData) !== 0n) throw invalid('its data lie in another file');
  if ((incompatible & FEATURE.corrupt) !== 0n) throw invalid('it is marked as corrupt');
  if ((incompatible & FEATURE.dirty) !== 0n) throw invalid('it was not closed cleanly');
  if ((incompatible & ~KNOWN_FEATURES) !== 0n) throw invalid(`unknown features 0x${(incompatible & ~KNOWN_FEATURES).toString(16)}`);
}

function checkCompression(incompatible: bigint, type: number): boolean {
  const flagged = (incompatible & FEATURE.compression) !== 0n;
  if (type > 1 || flagged !== (type !== 0)) throw invalid(`compression type ${type}`);
  return type === 1;
}

function checkTables(
  bytes: Buffer,
  at: {
    readonly cluster: number;
    readonly virtualSize: number;
    readonly incompatible: bigint;
    readonly fileSize: number | undefined;
    readonly refcountOrder: number;
  },
): void {
  if (at.refcountOrder > 6) throw invalid(`refcounts of 2^${at.refcountOrder} bits`);
  const l1Bytes = bytes.readUInt32BE(36) * 8;
  if (l1Bytes > QCOW2_LIMITS.l1Bytes) throw invalid(`an L1 table of ${l1Bytes} bytes`);
  const l2Entry = (at.incompatible & FEATURE.extendedL2) === 0n ? 8 : 16;
  if ((l1Bytes / 8) * at.cluster * (at.cluster / l2Entry) < at.virtualSize) throw invalid('its L1 table is too small for the disk');
  const refcountBytes = bytes.readUInt32BE(56) * at.cluster;
  if (refcountBytes === 0 || refcountBytes > QCOW2_LIMITS.refcountTableBytes) throw invalid(`a refcount table of ${refcountBytes} bytes`);
  checkTable('L1 table', bytes.readBigUInt64BE(40), l1Bytes, at);
  checkTable('refcount table', bytes.readBigUInt64BE(48), refcountBytes, at);
}

function checkTable(what: string, rawOffset: bigint, length: number, at: { readonly cluster: number; readonly fileSize: number | undefined }): void {
  const offset = bounded(rawOffset, Number.MAX_SAFE_INTEGER, 'an offset');
  if (offset < at.cluster || offset % at.cluster !== 0) throw invalid(`its ${what} is misplaced`);
  if (at.fileSize !== undefined && offset + length > at.fileSize) throw invalid(`its ${what} lies beyond its end: it is cut off`);
}

function parseExtensions(area: Buffer, start: number): Extension[] {
  const extensions: Extension[] = [];
  for (let position = start; position + 8 <= area.length;) {
    const type = area.readUInt32BE(position);
    const length = area.readUInt32BE(position + 4);
    if (type === EXTENSION.end) return extensions;
    if (extensions.length >= QCOW2_LIMITS.extensions) throw invalid('too many header extensions');
    if (position + 8 + length > area.length) throw invalid('a header extension is cut off');
    extensions.push({ type, data: area.subarray(position + 8, position + 8 + length) });
    position += 8 + Math.ceil(length / 8) * 8;
  }
  return extensions;
}

function encodeExtensions(extensions: readonly Extension[]): Buffer {
  const parts = extensions.map(({ type, data }) => {
    const part = Buffer.alloc(8 + Math.ceil(data.length / 8) * 8);
    part.writeUInt32BE(type, 0);
    part.writeUInt32BE(data.length, 4);
    part.set(data, 8);
    return part;
  });
  return Buffer.concat([...parts, Buffer.alloc(8)]);
}

function bounded(value: bigint, limit: number, what: string): number {
  if (value > BigInt(limit)) throw invalid(`${what} of ${value} bytes`);
  return Number(value);
}
