import type { IsoEntry } from './reader.ts';

/*
 * Directory records of ISO 9660 (ECMA-119, 9.1), with the names that Rock Ridge (SUSP 1.12 and RRIP 1.12) or Joliet add. Nothing outside the given bytes is read,
 * so that a medium which lies can only be wrong.
 */

export const SECTOR = 2048;

/** How the names of a tree are written. */
export type Naming = 'rock-ridge' | 'joliet' | 'plain';

/** What a record says, before a continuation of it is read. */
export interface IsoRecord extends IsoEntry {
  /** More of its name is there: the area's position and length on the medium. */
  readonly continuation?: { readonly position: number; readonly length: number };
  /** Its name is that of Rock Ridge, which a continuation goes on with. */
  readonly named: boolean;
  /** The file goes on in the next record. */
  readonly goesOn: boolean;
}

const DIRECTORY = 0x02;
const GOES_ON = 0x80;
const FIXED = 33;
/** Of a POSIX mode: what kind of file it is, and a symbolic link. */
const [KIND_BITS, LINK] = [0o170_000, 0o120_000];

/** The records in the bytes of a directory, without those of itself and its parent. */
export function parseDirectory(bytes: Buffer, naming: Naming, skip: number): IsoRecord[] {
  const found: IsoRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt8(at);
    // A record never crosses the end of a sector; the rest of one is zeros.
    const end = Math.min((Math.floor(at / SECTOR) + 1) * SECTOR, bytes.length);
    if (length === 0 || at + length > end) {
      at = (Math.floor(at / SECTOR) + 1) * SECTOR;
      continue;
    }
    const record = length <= FIXED ? undefined : parseRecord(bytes.subarray(at, at + length), naming, skip);
    if (record !== undefined) found.push(record);
    at += length;
  }
  return found;
}

function parseRecord(bytes: Buffer, naming: Naming, skip: number): IsoRecord | undefined {
  const nameLength = bytes.readUInt8(32);
  const nameEnd = FIXED + nameLength;
  if (nameEnd > bytes.length) return undefined;
  const raw = bytes.subarray(FIXED, nameEnd);
  if (nameLength === 1 && (raw[0] === 0 || raw[0] === 1)) return undefined;
  const flags = bytes.readUInt8(25);
  const size = bytes.readUInt32LE(10);
  const position = (bytes.readUInt32LE(2) + bytes.readUInt8(1)) * SECTOR;
  const system = naming === 'rock-ridge' ? parseSystemUse(bytes.subarray(nameEnd + ((nameLength + 1) % 2) + skip)) : {};
  const { name, link, child, continuation } = system;
  const kind = link === true ? 'other' : child !== undefined || (flags & DIRECTORY) !== 0 ? 'folder' : 'file';
  return {
    name: name ?? (naming === 'joliet' ? jolietName(raw) : plainName(raw)),
    kind,
    extents: [{ position: child ?? position, size }],
    size,
    named: name !== undefined,
    goesOn: (flags & GOES_ON) !== 0,
    ...(continuation === undefined ? {} : { continuation }),
  };
}

/** What a system use area says; `child` is where a folder is that was moved since it lay too deep. */
interface SystemUse {
  readonly name?: string;
  readonly link?: boolean;
  readonly child?: number;
  readonly continuation?: { readonly position: number; readonly length: number };
}

/** The fields of a system use area that matter for finding a file. */
export function parseSystemUse(bytes: Buffer): SystemUse {
  const names: Buffer[] = [];
  const found: { link?: boolean; child?: number; continuation?: { position: number; length: number } } = {};
  for (let at = 0; at + 4 <= bytes.length;) {
    const signature = bytes.toString('latin1', at, at + 2);
    const length = bytes.readUInt8(at + 2);
    if (length < 4 || at + length > bytes.length || signature === 'ST') break;
    const data = bytes.subarray(at + 4, at + length);
    // Flags 2 and 4 are the names of the folder itself and its parent.
    if (signature === 'NM' && data.length > 1 && (data.readUInt8(0) & 6) === 0) names.push(data.subarray(1));
    if (signature === 'PX' && data.length >= 4) found.link = (data.readUInt32LE(0) & KIND_BITS) === LINK;
    if (signature === 'CL' && data.length >= 4) found.child = data.readUInt32LE(0) * SECTOR;
    if (signature === 'CE' && data.length >= 24)
      found.continuation = { position: data.readUInt32LE(0) * SECTOR + data.readUInt32LE(8), length: data.readUInt32LE(16) };
    at += length;
  }
  return { ...found, ...(names.length === 0 ? {} : { name: Buffer.concat(names).toString('utf8') }) };
}

/** The bytes before the first field of every area, as the root's own record says; undefined where there is no Rock Ridge. */
export function rockRidgeSkip(rootSelf: Buffer): number | undefined {
  const system = rootSelf.subarray(FIXED + 1);
  const isSign = system.length >= 7 && system.toString('latin1', 0, 2) === 'SP' && system.readUInt16BE(4) === 0xbeef;
  return isSign ? system.readUInt8(6) : undefined;
}

function jolietName(raw: Buffer): string {
  return withoutVersion(new TextDecoder('utf-16be').decode(raw.subarray(0, raw.length - (raw.length % 2))));
}

function plainName(raw: Buffer): string {
  return withoutVersion(raw.toString('latin1')).replace(/\.$/, '');
}

function withoutVersion(name: string): string {
  return name.replace(/;\d+$/, '');
}
