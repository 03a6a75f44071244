/*
 * The smallest ISO 9660 image that a NoCloud seed needs: files in the root directory, with their own names in a Joliet tree beside the plain one. Layout:
 * ECMA-119, and Microsoft's "Joliet Specification". Platforms take a seed as a CD-ROM, whose sectors a FAT filesystem does not fit.
 */

const SECTOR = 2048;
/** Where things lie, in sectors. */
const AT = { primary: 16, joliet: 17, end: 18, tables: 19, primaryRoot: 23, jolietRoot: 24, data: 25 } as const;
const DIRECTORY = 0x02;

interface Entry {
  readonly name: Buffer;
  readonly at: number;
  readonly size: number;
  readonly flags: number;
}

/**
 * An ISO 9660 image as bytes: `label` of up to 16 characters of ASCII, `files` by name (ASCII, up to 28 characters). The same content gives the same bytes.
 * Throws a RangeError where the names need more than one sector.
 */
export function makeIso(label: string, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  let next: number = AT.data;
  const placed = [...files].map(([name, content]) => {
    const at = next;
    next += Math.ceil(content.length / SECTOR);
    return { name, content, at };
  });
  const image = Buffer.alloc(next * SECTOR);
  const plain = placed.map(({ name, content, at }): Entry => ({ name: Buffer.from(`${name.toUpperCase()};1`), at, size: content.length, flags: 0 }));
  const wide = placed.map(({ name, content, at }): Entry => ({ name: utf16(`${name};1`), at, size: content.length, flags: 0 }));
  writeRoot(image, AT.primaryRoot, plain);
  writeRoot(image, AT.jolietRoot, wide);
  writeDescriptor(image, AT.primary, { type: 1, label: Buffer.from(label.padEnd(32)), sectors: next, table: AT.tables, root: AT.primaryRoot });
  writeDescriptor(image, AT.joliet, { type: 2, label: utf16(label.padEnd(16)), sectors: next, table: AT.tables + 2, root: AT.jolietRoot });
  image.set([255, ...Buffer.from('CD001'), 1], AT.end * SECTOR);
  for (const { content, at } of placed) image.set(content, at * SECTOR);
  return image;
}

function writeDescriptor(
  image: Buffer,
  sector: number,
  {
    type,
    label,
    sectors,
    table,
    root,
  }: { readonly type: 1 | 2; readonly label: Buffer; readonly sectors: number; readonly table: number; readonly root: number },
): void {
  const bytes = image.subarray(sector * SECTOR, (sector + 1) * SECTOR);
  const blank = type === 1 ? Buffer.alloc(1024, ' ') : utf16(' '.repeat(512));
  bytes.set([type, ...Buffer.from('CD001'), 1]);
  bytes.set(blank.subarray(0, 32), 8);
  bytes.set(label, 40);
  both32(bytes, 80, sectors);
  // Joliet, level 3: names are UCS-2.
  if (type === 2) bytes.set([0x25, 0x2f, 0x45], 88);
  both16(bytes, 120, 1);
  both16(bytes, 124, 1);
  both16(bytes, 128, SECTOR);
  // One directory, the root: its entry in the path table has ten bytes.
  both32(bytes, 132, 10);
  bytes.writeUInt32LE(table, 140);
  bytes.writeUInt32BE(table + 1, 148);
  bytes.set(record({ name: Buffer.of(0), at: root, size: SECTOR, flags: DIRECTORY }), 156);
  bytes.set(blank.subarray(0, 623), 190);
  for (const at of [813, 830, 847, 864]) bytes.set(Buffer.from('0000000000000000'), at);
  bytes[881] = 1;
  const entry = (big: boolean): Buffer => {
    const path = Buffer.alloc(10);
    path[0] = 1;
    if (big) path.writeUInt32BE(root, 2);
    else path.writeUInt32LE(root, 2);
    if (big) path.writeUInt16BE(1, 6);
    else path.writeUInt16LE(1, 6);
    return path;
  };
  image.set(entry(false), table * SECTOR);
  image.set(entry(true), (table + 1) * SECTOR);
}

/** The root directory, which fits into one sector; its entries are in the order of their names. */
function writeRoot(image: Buffer, sector: number, files: readonly Entry[]): void {
  const itself = { at: sector, size: SECTOR, flags: DIRECTORY };
  const entries = [{ name: Buffer.of(0), ...itself }, { name: Buffer.of(1), ...itself }, ...files.toSorted((a, b) => Buffer.compare(a.name, b.name))];
  const bytes = Buffer.concat(entries.map(record));
  if (bytes.length > SECTOR) throw new RangeError('The files have too many names for this image');
  image.set(bytes, sector * SECTOR);
}

function record({ name, at, size, flags }: Entry): Buffer {
  const length = 33 + name.length + (name.length % 2 === 0 ? 1 : 0);
  const bytes = Buffer.alloc(length);
  bytes[0] = length;
  both32(bytes, 2, at);
  both32(bytes, 10, size);
  // 1980-01-01, for every file: the same content gives the same bytes.
  bytes.set([80, 1, 1, 0, 0, 0, 0], 18);
  bytes[25] = flags;
  both16(bytes, 28, 1);
  bytes[32] = name.length;
  bytes.set(name, 33);
  return bytes;
}

/** Numbers stand in both byte orders. */
function both16(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16LE(value, at);
  bytes.writeUInt16BE(value, at + 2);
}

function both32(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at);
  bytes.writeUInt32BE(value, at + 4);
}

function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
