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
  target: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [number, number]>;

/** What differs from a file of root's with mode 0644. */
export interface TarAttributes {
  readonly directory?: boolean;
  readonly mode?: number;
  /** Number of user and group. */
  readonly owner?: number;
  /** What a symbolic link points to. */
  readonly link?: string;
}

/** The header of a file, folder or link; time, owner and the like are always the same, so that the same content gives the same bytes. */
export function tarHeader(
  name: string,
  size: number,
  { directory = false, link, mode = directory ? 0o755 : link === undefined ? 0o644 : 0o777, owner = 0 }: TarAttributes = {},
): Uint8Array {
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
  put(FIELD.type, directory ? '5' : link === undefined ? '0' : '2');
  put(FIELD.target, link ?? '');
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

/** One thing in an archive, as its headers say it. */
export interface TarMember {
  /** As it is written there. */
  readonly name: string;
  /** A character of the format: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` pipe. */
  readonly type: string;
  /** Where a link leads; empty for what is none. */
  readonly target: string;
  readonly size: number;
  /** Where its bytes start in the archive. */
  readonly position: number;
}

/** Bytes of an archive that are read at once. */
const WINDOW = 2 ** 20;

/**
 * Everything in an archive, by walking its headers; the bytes between them are not read. `fail` makes the error of an archive that is damaged, cut off, or
 * holds more than `most` things.
 */
export async function* walkTar(
  files: Pick<Files, 'status' | 'readPart'>,
  path: string,
  { most, fail }: { readonly most: number; readonly fail: (why: string) => IngotError },
): AsyncGenerator<TarMember> {
  const end = (await files.status(path))?.size ?? 0;
  let window = { at: 0, bytes: Buffer.alloc(0) };
  const read = async (at: number, length: number): Promise<Buffer> => {
    if (at < window.at || at + length > window.at + window.bytes.length)
      window = { at, bytes: Buffer.from(await files.readPart(path, at, Math.max(length, WINDOW))) };
    return window.bytes.subarray(at - window.at, at - window.at + length);
  };
  let extended: Extended = {};
  for (let position = 0, headers = 0; ; headers++) {
    if (headers > most) throw fail(`it holds more than ${most} files`);
    const header = await read(position, BLOCK);
    if (header.length < BLOCK) throw fail(position === 0 ? 'it is no tar file' : 'it is cut off');
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, position, fail);
    const type = header.toString('latin1', FIELD.type[0], FIELD.type[0] + 1);
    const size = extended.size ?? numberOf(header, FIELD.size, fail);
    const [name, target] = [extended.path ?? nameOf(header), extended.linkpath ?? textOf(header, FIELD.target)];
    const start = position + BLOCK;
    if (start + size > end) throw fail('it is cut off');
    position = start + Math.ceil(size / BLOCK) * BLOCK;
    if (['x', 'g', 'L', 'K'].includes(type)) {
      if (size > LIMITS.extension) throw fail(`an extended header of ${size} bytes`);
      const bytes = Buffer.from(await read(start, size));
      const said = type === 'L' ? { path: textOf(bytes, [0, size]) } : type === 'K' ? { linkpath: textOf(bytes, [0, size]) } : parsePax(bytes, fail);
      // Defaults for all that follow are times and comments; a name for everything is made to deceive.
      if (type !== 'g') extended = { ...extended, ...said };
      else if (Object.keys(said).length > 0) throw fail('it has one name or size for everything');
      continue;
    }
    extended = {};
    yield { name, type: type === '\0' || type === '7' ? '0' : type, target: type === '1' || type === '2' ? target : '', size, position: start };
  }
}

/**
 * The files in an archive, by walking its headers. Folders are left out. Throws `archive-invalid` on anything else than files and folders, on
 * names that lead out of the archive or come twice, and where the archive is cut off.
 */
export async function readTar(files: Pick<Files, 'status' | 'readPart'>, path: string): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  for await (const { name: written, type, size, position } of walkTar(files, path, { most: LIMITS.entries, fail: archiveInvalid })) {
    const name = plainName(written);
    if (name === undefined) throw archiveInvalid(`the name ${JSON.stringify(written)} leads out of it`);
    if (type === '5') continue;
    if (type !== '0') throw archiveInvalid(`"${name}" is neither a file nor a folder`);
    if (entries.has(name)) throw archiveInvalid(`"${name}" is in it twice`);
    entries.set(name, { name, size, position });
  }
  return entries;
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

type Fail = (why: string) => IngotError;

function checkSum(header: Buffer, position: number, fail: Fail): void {
  if (Number.parseInt(textOf(header, FIELD.checksum), 8) === sumOf(header)) return;
  throw fail(position === 0 ? 'it is no tar file' : `the header at byte ${position} is damaged`);
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

function numberOf(header: Buffer, field: readonly [number, number], fail: Fail): number {
  const [at, length] = field;
  let value: number;
  if ((header.readUInt8(at) & 0x80) !== 0) {
    const bytes = Buffer.from(header.subarray(at, at + length));
    bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
    value = Number(BigInt(`0x${bytes.toString('hex')}`));
  } else {
    const text = textOf(header, field).trim();
    if (!/^[0-7]*$/.test(text)) throw fail('a number in a header is none');
    value = text === '' ? 0 : Number.parseInt(text, 8);
  }
  if (!Number.isSafeInteger(value)) throw fail('a number in a header is too large');
  return value;
}

interface Extended {
  path?: string;
  linkpath?: string;
  size?: number;
}

/** Names and size from a pax header: records `<length> <key>=<value>\n`. */
function parsePax(bytes: Buffer, fail: Fail): Extended {
  const found: Extended = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space === -1 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) throw fail('an extended header is damaged');
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const [key, value] = [record.slice(0, record.indexOf('=')), record.slice(record.indexOf('=') + 1)];
    if (key === 'path' || key === 'linkpath') found[key] = value;
    if (key.startsWith('GNU.sparse.')) throw fail('a file with holes is in it');
    if (key === 'size') {
      found.size = Number(value);
      if (!/^\d+$/.test(value) || !Number.isSafeInteger(found.size)) throw fail('a size in an extended header is none');
    }
    at += length;
  }
  return found;
}

/** A name without what says nothing, and never beginning with a slash; undefined for one that leads out of the archive, or hides a part of itself. */
export function plainName(name: string): string | undefined {
  const parts = name.split('/').filter((part) => part !== '.' && part !== '');
  // eslint-disable-next-line no-control-regex -- a name that hides a part of itself is refused.
  if (name.startsWith('/') || parts.includes('..') || /[\u0000-\u001f\\]/.test(name)) return undefined;
  return parts.join('/');
}
