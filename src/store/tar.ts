import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';

/*
 * Tar files (POSIX.1-2017 pax, "ustar Interchange Format"; GNU's long names and large sizes), written and read by ingot itself: an archive of
 * images is read by position, through the host's files, and only what the store lacks is read at all. Libraries of npm stream whole archives.
 */

export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** Where its bytes start in the archive. */
  readonly position: number;
}

const BLOCK = 512;
/** Largest size that eleven octal digits hold. */
const OCTAL_LIMIT = 8 * 2 ** 30 - 1;
/** What no archive of images comes near. */
const LIMITS = { entries: 100_000, extension: 64 * 2 ** 10 } as const;
/** Where the fields of a header are. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  time: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [number, number]>;

/** What differs from a file of root's with mode 0644. */
export interface TarAttributes {
  readonly directory?: boolean;
  readonly mode?: number;
  /** Number of user and group. */
  readonly owner?: number;
}

/** The header of a file or folder; time, owner and the like are always the same, so that the same content gives the same bytes. */
export function tarHeader(name: string, size: number, { directory = false, mode = directory ? 0o755 : 0o644, owner = 0 }: TarAttributes = {}): Uint8Array {
  if (Buffer.byteLength(name) > FIELD.name[1]) throw new Error(`${name} is too long for a tar header`);
  const header = Buffer.alloc(BLOCK);
  const put = ([at, length]: readonly [number, number], text: string): void => void header.write(text.slice(0, length), at, 'latin1');
  put(FIELD.name, name);
  put(FIELD.mode, `${mode.toString(8).padStart(7, '0')}\0`);
  put(FIELD.uid, `${owner.toString(8).padStart(7, '0')}\0`);
  put(FIELD.gid, `${owner.toString(8).padStart(7, '0')}\0`);
  if (size <= OCTAL_LIMIT) put(FIELD.size, `${size.toString(8).padStart(11, '0')}\0`);
  else {
    header.writeUInt8(0x80, FIELD.size[0]);
    header.writeBigUInt64BE(BigInt(size), FIELD.size[0] + 4);
  }
  put(FIELD.time, '00000000000\0');
  put(FIELD.type, directory ? '5' : '0');
  put(FIELD.magic, 'ustar\u000000');
  put(FIELD.checksum, `${sumOf(header).toString(8).padStart(6, '0')}\0 `);
  return header;
}

/** Zero bytes that follow the content of a file. */
export function tarPadding(size: number): Uint8Array {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** What ends an archive. */
export const TAR_END: Uint8Array = Buffer.alloc(2 * BLOCK);

/**
 * The files in an archive, by walking its headers. Folders are left out. Throws `archive-invalid` on anything else than files and folders, on
 * names that lead out of the archive or come twice, and where the archive is cut off.
 */
export async function readTar(files: Pick<Files, 'status' | 'readPart'>, path: string): Promise<Map<string, TarEntry>> {
  const end = (await files.status(path))?.size ?? 0;
  const entries = new Map<string, TarEntry>();
  let extended: { path?: string; size?: number } = {};
  for (let position = 0, headers = 0; ; headers++) {
    if (headers > LIMITS.entries) throw archiveInvalid(`it holds more than ${LIMITS.entries} files`);
    const header = Buffer.from(await files.readPart(path, position, BLOCK));
    if (header.length < BLOCK) throw archiveInvalid(position === 0 ? 'it is no tar file' : 'it is cut off');
    if (header.every((byte) => byte === 0)) return entries;
    checkSum(header, position);
    const type = header.toString('latin1', FIELD.type[0], FIELD.type[0] + 1);
    const size = extended.size ?? numberOf(header, FIELD.size);
    const start = position + BLOCK;
    if (start + size > end) throw archiveInvalid('it is cut off');
    position = start + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x' || type === 'L') {
      if (size > LIMITS.extension) throw archiveInvalid(`an extended header of ${size} bytes`);
      const bytes = Buffer.from(await files.readPart(path, start, size));
      extended = type === 'L' ? { ...extended, path: textOf(bytes, [0, size]) } : { ...extended, ...parsePax(bytes) };
      continue;
    }
    if (type === 'g') continue; // defaults for all that follow: times and comments
    const name = safeName(extended.path ?? nameOf(header));
    extended = {};
    if (type === '5') continue;
    if (type !== '0' && type !== '\0') throw archiveInvalid(`"${name}" is neither a file nor a folder`);
    if (entries.has(name)) throw archiveInvalid(`"${name}" is in it twice`);
    entries.set(name, { name, size, position: start });
  }
}

export function archiveInvalid(why: string): IngotError {
  return new IngotError('verification', 'archive-invalid', `This is not an archive of images that ingot accepts: ${why}`, {
    hint: 'Nothing was changed. Make the file again with the command that wrote it, or copy it again.',
  });
}

function sumOf(header: Buffer): number {
  const [at, length] = FIELD.checksum;
  return header.reduce((sum, byte, i) => sum + (i >= at && i < at + length ? 32 : byte), 0);
}

function checkSum(header: Buffer, position: number): void {
  if (Number.parseInt(textOf(header, FIELD.checksum), 8) === sumOf(header)) return;
  throw archiveInvalid(position === 0 ? 'it is no tar file' : `the header at byte ${position} is damaged`);
}

function textOf(bytes: Buffer, [at, length]: readonly [number, number]): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}

function nameOf(header: Buffer): string {
  const prefix = header.toString('latin1', FIELD.magic[0], FIELD.magic[0] + 6) === 'ustar\0' ? textOf(header, FIELD.prefix) : '';
  return prefix === '' ? textOf(header, FIELD.name) : `${prefix}/${textOf(header, FIELD.name)}`;
}

function numberOf(header: Buffer, field: readonly [number, number]): number {
  const [at, length] = field;
  let value: number;
  if ((header.readUInt8(at) & 0x80) !== 0) {
    const bytes = Buffer.from(header.subarray(at, at + length));
    bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
    value = Number(BigInt(`0x${bytes.toString('hex')}`));
  } else {
    const text = textOf(header, field).trim();
    if (!/^[0-7]*$/.test(text)) throw archiveInvalid('a number in a header is none');
    value = text === '' ? 0 : Number.parseInt(text, 8);
  }
  if (!Number.isSafeInteger(value)) throw archiveInvalid('a number in a header is too large');
  return value;
}

/** Path and size from a pax header: records `<length> <key>=<value>\n`. */
function parsePax(bytes: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space === -1 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) throw archiveInvalid('an extended header is damaged');
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const [key, value] = [record.slice(0, record.indexOf('=')), record.slice(record.indexOf('=') + 1)];
    if (key === 'path') found.path = value;
    if (key === 'size') {
      found.size = Number(value);
      if (!/^\d+$/.test(value) || !Number.isSafeInteger(found.size)) throw archiveInvalid('a size in an extended header is none');
    }
    at += length;
  }
  return found;
}

/** Nothing is unpacked by its name; a name that would lead out says all the same that the archive is not what it should be. */
function safeName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '.' && part !== '');
  // eslint-disable-next-line no-control-regex -- a name that hides a part of itself is refused.
  if (name.startsWith('/') || parts.includes('..') || /[\u0000-\u001f\\]/.test(name)) throw archiveInvalid(`the name ${JSON.stringify(name)} leads out of it`);
  return parts.join('/');
}
