/** A file of an initial RAM disk: a folder where `data` is missing. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly data?: Uint8Array;
}

const FOLDER = 0o040000;
const FILE = 0o100000;

/**
 * An archive in the form that Linux unpacks as its first root ("newc": Documentation/driver-api/early-userspace/buffer-format.rst).
 * Everything belongs to root; folders have to come before what is in them.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, i) =>
    member(entry.path, entry.mode | (entry.data === undefined ? FOLDER : FILE), entry.data ?? new Uint8Array(), i + 1),
  );
  return Buffer.concat([...parts, ...member('TRAILER!!!', 0, new Uint8Array(), 0)]);
}

function member(path: string, mode: number, data: Uint8Array, inode: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, time, size, device (2), special device (2), length of the name, checksum
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
