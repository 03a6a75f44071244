/*
 * The smallest FAT12 filesystem that a NoCloud seed needs: files in the root directory, with long names. Layout: Microsoft's "FAT: General Overview of
 * On-Disk Format" (fatgen103). Three programs of mtools for each machine would take longer than all else that making it does.
 */

const SECTOR = 512;
const FATS = 2;
const RESERVED_SECTORS = 1;
const ROOT_ENTRIES = 64;
const ENTRY = 32;
/** One cluster more would make it FAT16. */
const MOST_CLUSTERS = 4084;
const END = 0xfff;
const LONG_NAME = 0x0f;
const VOLUME_LABEL = 0x08;
const DIRECTORY = 0x10;
/** Where the 13 UTF-16 units of a piece of a long name stand in its entry. */
const UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
/** 1980-01-01, the first day that FAT knows: the same content gives the same bytes. */
const FIRST_DAY = 0x21;

/**
 * A FAT12 filesystem as bytes: `label` of up to 11 capital letters, `files` by name (up to 255 characters of ASCII), and no room beyond them.
 * Throws a RangeError where they need more than FAT12 has (some 130 MB, or 20 files).
 */
export function makeFat(label: string, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const contents = [...files.values()];
  const sectorsPerCluster = [1, 2, 4, 8, 16, 32, 64].find((count) => clustersOf(contents, count * SECTOR) <= MOST_CLUSTERS);
  if (sectorsPerCluster === undefined) throw new RangeError('The files are too large for a FAT12 filesystem');
  const cluster = sectorsPerCluster * SECTOR;
  const clusters = clustersOf(contents, cluster);
  const fatSectors = Math.ceil(((clusters + 2) * 3) / 2 / SECTOR);
  const rootAt = (RESERVED_SECTORS + FATS * fatSectors) * SECTOR;
  const dataAt = rootAt + ROOT_ENTRIES * ENTRY;
  const bytes = Buffer.alloc(dataAt + clusters * cluster);
  writeBootSector(bytes, { label, sectorsPerCluster, fatSectors });

  const table: number[] = [0xff8, END];
  const entries = [shortEntry(label.padEnd(11), VOLUME_LABEL, 0, 0)];
  for (const [name, content] of files) {
    const first = table.length;
    const count = Math.ceil(content.length / cluster);
    bytes.set(content, dataAt + (first - 2) * cluster);
    for (let i = 1; i <= count; i++) table.push(i === count ? END : first + i);
    const short = `FILE${String(entries.length).padStart(4, '0')}   `;
    entries.push(...longName(name, short), shortEntry(short, 0, count === 0 ? 0 : first, content.length));
  }
  if (entries.length > ROOT_ENTRIES) throw new RangeError('There are too many files for the root directory');
  entries.forEach((entry, i) => bytes.set(entry, rootAt + i * ENTRY));
  const fat = packTable(table);
  for (let i = 0; i < FATS; i++) bytes.set(fat, (RESERVED_SECTORS + i * fatSectors) * SECTOR);
  return bytes;
}

/**
 * The files in the root directory of a FAT12 filesystem, by name. Throws a RangeError where it is none or is damaged: nothing beyond the bytes is read,
 * and no chain of clusters is followed for ever.
 */
export function readFat(image: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  if (bytes.length < SECTOR || bytes.readUInt16LE(510) !== 0xaa55 || bytes.readUInt16LE(11) !== SECTOR) throw new RangeError('This is no FAT filesystem');
  const cluster = bytes.readUInt8(13) * SECTOR;
  const fatAt = bytes.readUInt16LE(14) * SECTOR;
  const rootAt = fatAt + bytes.readUInt8(16) * bytes.readUInt16LE(22) * SECTOR;
  const rootEntries = bytes.readUInt16LE(17);
  const dataAt = rootAt + Math.ceil((rootEntries * ENTRY) / SECTOR) * SECTOR;
  const clusters = Math.floor(((bytes.readUInt16LE(19) || bytes.readUInt32LE(32)) * SECTOR - dataAt) / cluster);
  if (!(clusters <= MOST_CLUSTERS)) throw new RangeError('This is no FAT12 filesystem');

  const next = (number: number): number => {
    const pair = bytes.readUInt16LE(fatAt + Math.floor((number * 3) / 2));
    return number % 2 === 0 ? pair & 0xfff : pair >> 4;
  };
  const content = (first: number, size: number): Buffer => {
    if (size > clusters * cluster) throw new RangeError('A file is larger than its filesystem');
    const parts: Uint8Array[] = [];
    for (let number = first, left = size; left > 0; left -= cluster, number = next(number)) {
      const at = dataAt + (number - 2) * cluster;
      const end = at + Math.min(left, cluster);
      if (number < 2 || number > clusters + 1 || end > bytes.length) throw new RangeError('A file leads out of its filesystem');
      parts.push(bytes.subarray(at, end));
    }
    return Buffer.concat(parts);
  };

  const files = new Map<string, Buffer>();
  let long = '';
  for (let i = 0; i < rootEntries; i++) {
    const entry = bytes.subarray(rootAt + i * ENTRY, rootAt + (i + 1) * ENTRY);
    if (entry.length < ENTRY || entry[0] === 0) break;
    const attributes = entry.readUInt8(11);
    if (attributes === LONG_NAME) {
      const units = UNITS.map((at) => entry.readUInt16LE(at));
      const end = units.indexOf(0);
      long = `${String.fromCharCode(...(end < 0 ? units : units.slice(0, end)))}${long}`;
      continue;
    }
    const [name, extension] = [entry.toString('latin1', 0, 8).trimEnd(), entry.toString('latin1', 8, 11).trimEnd()];
    if ((attributes & (VOLUME_LABEL | DIRECTORY)) === 0 && entry[0] !== 0xe5) {
      files.set(long || `${name}${extension && `.${extension}`}`.toLowerCase(), content(entry.readUInt16LE(26), entry.readUInt32LE(28)));
    }
    long = '';
  }
  return files;
}

const clustersOf = (contents: readonly Uint8Array[], cluster: number): number => contents.reduce((sum, { length }) => sum + Math.ceil(length / cluster), 1);

function writeBootSector(bytes: Buffer, disk: { readonly label: string; readonly sectorsPerCluster: number; readonly fatSectors: number }): void {
  const sectors = bytes.length / SECTOR;
  bytes.set([0xeb, 0x3c, 0x90]);
  bytes.write('ingot   ', 3, 'latin1');
  bytes.writeUInt16LE(SECTOR, 11);
  bytes.writeUInt8(disk.sectorsPerCluster, 13);
  bytes.writeUInt16LE(RESERVED_SECTORS, 14);
  bytes.writeUInt8(FATS, 16);
  bytes.writeUInt16LE(ROOT_ENTRIES, 17);
  bytes.writeUInt16LE(sectors < 0x10000 ? sectors : 0, 19);
  // A hard disk with a plausible geometry.
  bytes.writeUInt8(0xf8, 21);
  bytes.writeUInt16LE(disk.fatSectors, 22);
  bytes.writeUInt16LE(16, 24);
  bytes.writeUInt16LE(2, 26);
  bytes.writeUInt32LE(sectors < 0x10000 ? 0 : sectors, 32);
  bytes.writeUInt8(0x80, 36);
  // The three fields that follow are there: serial number, label, type.
  bytes.writeUInt8(0x29, 38);
  bytes.writeUInt32LE(0x494e474f, 39);
  bytes.write(disk.label.padEnd(11), 43, 'latin1');
  bytes.write('FAT12   ', 54, 'latin1');
  bytes.writeUInt16LE(0xaa55, 510);
}

/** Twelve bits for each number. */
function packTable(table: readonly number[]): Buffer {
  const packed = Buffer.alloc(Math.ceil((table.length * 3) / 2));
  table.forEach((value, i) => {
    const at = Math.floor((i * 3) / 2);
    if (i % 2 === 0) {
      packed[at] = value & 0xff;
      if (at + 1 < packed.length) packed[at + 1] = value >> 8;
    } else {
      packed[at] = (packed[at] ?? 0) | ((value & 0xf) << 4);
      packed[at + 1] = value >> 4;
    }
  });
  return packed;
}

function shortEntry(name: string, attributes: number, first: number, size: number): Buffer {
  const entry = Buffer.alloc(ENTRY);
  entry.write(name, 0, 'latin1');
  entry.writeUInt8(attributes, 11);
  for (const at of [16, 18, 24]) entry.writeUInt16LE(FIRST_DAY, at);
  entry.writeUInt16LE(first, 26);
  entry.writeUInt32LE(size, 28);
  return entry;
}

/** The entries before a short one that hold the name as it is, its last piece first. */
function longName(name: string, short: string): Buffer[] {
  let checksum = 0;
  for (const byte of Buffer.from(short, 'latin1')) checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 0xff;
  const pieces = Math.ceil(name.length / UNITS.length);
  return Array.from({ length: pieces }, (_, i) => {
    const number = pieces - i;
    const entry = Buffer.alloc(ENTRY);
    entry.writeUInt8(i === 0 ? number | 0x40 : number, 0);
    entry.writeUInt8(LONG_NAME, 11);
    entry.writeUInt8(checksum, 13);
    UNITS.forEach((at, unit) => {
      const index = (number - 1) * UNITS.length + unit;
      entry.writeUInt16LE(index < name.length ? name.charCodeAt(index) : index === name.length ? 0 : 0xffff, at);
    });
    return entry;
  });
}
