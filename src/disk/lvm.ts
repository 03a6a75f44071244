import { crc32 } from 'node:zlib';
import { IngotError } from '../base/errors.ts';
import { SECTOR } from './layout.ts';
import { EXTENT_SIZE, type LvmLayout } from './lvm-layout.ts';
import { lvmText, parseLvmText, type LvmSection, type LvmValue } from './lvm-text.ts';

/*
 * LVM2's metadata on a physical volume, written and read without activating anything: hosts need not have device-mapper. On the
 * disk: a label in the second sector, the header of the metadata area at 4 KiB, the metadata as text after it, data from 1 MiB.
 * Sources: lib/label/label.h, lib/format_text/layout.h, lib/format_text/format-text.c of LVM2 2.03.
 */

/** Bytes at the start of a physical volume that have to be known to find its volumes. */
export const LVM_HEAD = 2 ** 20;

const LABEL_AT = SECTOR;
const LABEL = { magic: 'LABELONE', type: 'LVM2 001', crcFrom: 20, headerSize: 32 };
const AREA = { start: 4096, magic: ' LVM2 x[5A%r0N*>', version: 1, headerSize: 512, crcFrom: 4 };
const EXTENSION = { version: 2, used: 1 };
const INITIAL_CRC = 0xf5_97_a6_cf;

/** LVM's checksum: CRC-32 without the inversions before and after, from a start value of its own. */
export function lvmCrc(bytes: Uint8Array): number {
  return ~crc32(bytes, ~INITIAL_CRC >>> 0) >>> 0;
}

/** What is at the start of the physical volume; `size` is the partition's, `time` in seconds since 1970. */
export function lvmMetadata(layout: LvmLayout, size: number, time: number): Buffer {
  const text = Buffer.from(`${metadataText(layout, size, time)}\0`, 'latin1');
  const bytes = Buffer.alloc(AREA.start + AREA.headerSize + Math.ceil(text.length / SECTOR) * SECTOR);
  text.copy(bytes, AREA.start + AREA.headerSize);
  writeLabel(bytes.subarray(LABEL_AT, LABEL_AT + SECTOR), layout, size);
  const area = bytes.subarray(AREA.start, AREA.start + AREA.headerSize);
  area.write(AREA.magic, 4, 'latin1');
  area.writeUInt32LE(AREA.version, 20);
  area.writeBigUInt64LE(BigInt(AREA.start), 24);
  area.writeBigUInt64LE(BigInt(layout.dataStart - AREA.start), 32);
  area.writeBigUInt64LE(BigInt(AREA.headerSize), 40);
  area.writeBigUInt64LE(BigInt(text.length), 48);
  area.writeUInt32LE(lvmCrc(text), 56);
  area.writeUInt32LE(lvmCrc(area.subarray(AREA.crcFrom)), 0);
  return bytes;
}

function writeLabel(label: Buffer, { physicalUuid, dataStart }: LvmLayout, size: number): void {
  label.write(LABEL.magic, 0, 'latin1');
  label.writeBigUInt64LE(BigInt(LABEL_AT / SECTOR), 8);
  label.writeUInt32LE(LABEL.headerSize, 20);
  label.write(LABEL.type, 24, 'latin1');
  label.write(physicalUuid.replaceAll('-', ''), 32, 'latin1');
  label.writeBigUInt64LE(BigInt(size), 64);
  // Lists of areas (offset, size), each ended by zeros: data (to the end), then metadata.
  label.writeBigUInt64LE(BigInt(dataStart), 72);
  label.writeBigUInt64LE(BigInt(AREA.start), 104);
  label.writeBigUInt64LE(BigInt(dataStart - AREA.start), 112);
  label.writeUInt32LE(EXTENSION.version, 136);
  label.writeUInt32LE(EXTENSION.used, 140);
  label.writeUInt32LE(lvmCrc(label.subarray(LABEL.crcFrom)), 16);
}

function metadataText({ group, volume, physicalUuid, groupUuid, volumeUuid, dataStart, extents }: LvmLayout, size: number, time: number): string {
  return `${group} {
id = "${groupUuid}"
seqno = 1
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = ${EXTENT_SIZE / SECTOR}
max_lv = 0
max_pv = 0
metadata_copies = 0

physical_volumes {

pv0 {
id = "${physicalUuid}"
device = "/dev/vda1"

status = ["ALLOCATABLE"]
flags = []
dev_size = ${size / SECTOR}
pe_start = ${dataStart / SECTOR}
pe_count = ${extents}
}
}

logical_volumes {

${volume} {
id = "${volumeUuid}"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
creation_time = ${time}
creation_host = "localhost"
segment_count = 1

segment1 {
start_extent = 0
extent_count = ${extents}

type = "striped"
stripe_count = 1

stripes = [
"pv0", 0
]
}
}
}
}
contents = "Text Format Volume Group"
version = 1

description = ""

creation_host = "localhost"
creation_time = ${time}

`;
}

/** A logical volume that is one piece of its physical volume; bytes from the physical volume's start. */
export interface LvmVolume {
  readonly group: string;
  readonly volume: string;
  readonly start: number;
  readonly size: number;
}

/**
 * The linear logical volumes in the first {@link LVM_HEAD} bytes of a physical volume, one called `root` first. Those that are striped, mirrored, in
 * pieces or on several disks are left out. The bytes are an image's and not trusted: everything is checked against its bounds. Throws `lvm-unreadable`.
 */
export function findLvmVolumes(head: Buffer, size: number): LvmVolume[] {
  const { group, volumes, physical, extent } = readGroup(head);
  const found = Object.entries(volumes).flatMap(([volume, content]): LvmVolume[] => {
    try {
      return [placed({ group, volume, content, physical, extent }, size)];
    } catch (error) {
      if (error instanceof IngotError && Object.keys(volumes).length > 1) return [];
      throw error;
    }
  });
  if (found.length === 0) throw unreadable('its volume group has no volumes that can be read');
  return found.toSorted((a, b) => Number(b.volume === 'root') - Number(a.volume === 'root'));
}

/**
 * The beginning of a physical volume after its partition was grown to `size` bytes, with a logical volume that has all that is free behind it. Throws
 * `lvm-unreadable`, and where another volume is behind it.
 */
export function growLvm(head: Buffer, size: number, wanted: { readonly group: string; readonly name: string }): Buffer {
  const { area } = readLabel(head);
  const all = parseLvmText(readText(head, area));
  const { volumes, physical, extent } = readGroup(head);
  const [name, described] = physical;
  const pieces = Object.entries(volumes).map(([volume, content]) => ({ volume, ...linearPiece(section(content), name) }));
  const own = pieces.find(({ volume }) => volume === wanted.name);
  const total = Math.floor((size - number(described['pe_start']) * SECTOR) / extent);
  if (own === undefined || total < own.first + own.extents) throw unreadable('its root is not in it any more');
  if (pieces.some(({ volume, first }) => volume !== wanted.name && first > own.first))
    throw unreadable('behind the root there are other volumes, so that it cannot grow');
  const content = section(volumes[wanted.name]);
  const extents = total - own.first;
  const segment = { start_extent: 0, extent_count: extents, type: 'striped', stripe_count: 1, stripes: [name, own.first] };
  const others = Object.fromEntries(Object.entries(content).filter(([key]) => !/^segment\d+$/.test(key)));
  const group = section(all[wanted.group]);
  const changed: LvmSection = {
    ...all,
    [wanted.group]: {
      ...group,
      seqno: number(group['seqno']) + 1,
      physical_volumes: { ...section(group['physical_volumes']), [name]: { ...described, dev_size: size / SECTOR, pe_count: total } },
      logical_volumes: { ...volumes, [wanted.name]: { ...others, segment_count: 1, segment1: segment } },
    },
  };
  return withText(head, area, `${lvmText(changed)}\0`, size);
}

/** Writes another text right behind the header of the metadata area, and the partition's size into the label. */
function withText(head: Buffer, area: { readonly start: number; readonly size: number }, text: string, size: number): Buffer {
  const bytes = Buffer.from(head);
  const content = Buffer.from(text, 'latin1');
  if (AREA.headerSize + content.length > area.size) throw unreadable('its metadata do not fit');
  const ring = bytes.subarray(area.start, area.start + area.size);
  content.copy(ring, AREA.headerSize);
  const header = ring.subarray(0, AREA.headerSize);
  header.writeBigUInt64LE(BigInt(AREA.headerSize), 40);
  header.writeBigUInt64LE(BigInt(content.length), 48);
  header.writeUInt32LE(lvmCrc(content), 56);
  header.writeUInt32LE(lvmCrc(header.subarray(AREA.crcFrom)), 0);
  const label = [0, 1, 2, 3].map((i) => bytes.subarray(i * SECTOR, (i + 1) * SECTOR)).find((each) => each.toString('latin1', 0, 8) === LABEL.magic);
  if (label === undefined) throw unreadable('it has no label');
  label.writeBigUInt64LE(BigInt(size), label.readUInt32LE(20) + 32);
  label.writeUInt32LE(lvmCrc(label.subarray(LABEL.crcFrom)), 16);
  return bytes;
}

interface FoundGroup {
  readonly group: string;
  readonly volumes: LvmSection;
  /** The physical volume's name in the metadata, and what is said of it. */
  readonly physical: readonly [string, LvmSection];
  /** Bytes. */
  readonly extent: number;
}

function readGroup(head: Buffer): FoundGroup {
  const { physicalUuid, area } = readLabel(head);
  const text = readText(head, area);
  const [group, content] = Object.entries(parseLvmText(text)).find((entry): entry is [string, LvmSection] => isSection(entry[1])) ?? [];
  if (group === undefined || content === undefined) throw unreadable('its metadata name no volume group');
  const [name, physical] =
    Object.entries(section(content['physical_volumes'])).find(([, value]) => isSection(value) && dashless(value['id']) === physicalUuid) ?? [];
  if (name === undefined) throw unreadable('its volume group does not know it');
  return { group, volumes: section(content['logical_volumes']), physical: [name, section(physical)], extent: number(content['extent_size']) * SECTOR };
}

/** Where a volume is. Throws `lvm-unreadable`. */
function placed(
  {
    group,
    volume,
    content,
    physical: [name, physical],
    extent,
  }: Omit<FoundGroup, 'volumes'> & { readonly volume: string; readonly content: LvmValue | undefined },
  size: number,
): LvmVolume {
  const { first, extents } = linearPiece(section(content), name);
  const start = number(physical['pe_start']) * SECTOR + first * extent;
  const bytes = extents * extent;
  if (bytes === 0 || start % SECTOR !== 0 || start + bytes > size) throw unreadable('its logical volume lies outside of the partition');
  return { group, volume, start, size: bytes };
}

function readLabel(head: Buffer): { physicalUuid: string; area: { start: number; size: number } } {
  const label = [0, 1, 2, 3].map((i) => head.subarray(i * SECTOR, (i + 1) * SECTOR)).find((bytes) => bytes.toString('latin1', 0, 8) === LABEL.magic);
  if (label === undefined || label.length < SECTOR) throw unreadable('it has no label');
  if (label.toString('latin1', 24, 32) !== LABEL.type) throw unreadable('its label is of another format');
  if (label.readUInt32LE(16) !== lvmCrc(label.subarray(LABEL.crcFrom))) throw unreadable("its label's checksum is wrong");
  const at = label.readUInt32LE(20);
  const physicalUuid = label.toString('latin1', at, at + 32);
  let next = at + 40;
  const list = (): { start: number; size: number }[] => {
    const found: { start: number; size: number }[] = [];
    for (;;) {
      if (next + 16 > SECTOR) throw unreadable('its label does not end');
      const [start, size] = [Number(label.readBigUInt64LE(next)), Number(label.readBigUInt64LE(next + 8))];
      next += 16;
      if (start === 0) return found;
      found.push({ start, size });
    }
  };
  list();
  const area = list()[0];
  if (area === undefined) throw unreadable('it holds no metadata');
  return { physicalUuid, area };
}

/** The metadata's text; the area is a ring, so a text can go on at its start. */
function readText(head: Buffer, area: { start: number; size: number }): string {
  if (area.size <= AREA.headerSize || area.start + area.size > head.length) throw unreadable('its metadata lie elsewhere');
  const ring = head.subarray(area.start, area.start + area.size);
  const header = ring.subarray(0, AREA.headerSize);
  if (header.toString('latin1', 4, 20) !== AREA.magic) throw unreadable('its metadata have no header');
  if (header.readUInt32LE(0) !== lvmCrc(header.subarray(AREA.crcFrom))) throw unreadable("the checksum of its metadata's header is wrong");
  const [at, length] = [Number(header.readBigUInt64LE(40)), Number(header.readBigUInt64LE(48))];
  if (at < AREA.headerSize || at >= area.size || length === 0 || length > area.size - AREA.headerSize) throw unreadable('its metadata are empty');
  const upToEnd = ring.subarray(at, at + length);
  const text = Buffer.concat([upToEnd, ring.subarray(AREA.headerSize, AREA.headerSize + length - upToEnd.length)]);
  if (header.readUInt32LE(56) !== lvmCrc(text)) throw unreadable('the checksum of its metadata is wrong');
  return text.toString('latin1').replace(/\0+$/, '');
}

/** The one piece of a linear volume, in extents. Segments that follow each other on the disk are one piece. */
function linearPiece(volume: LvmSection, physical: string): { first: number; extents: number } {
  const count = number(volume['segment_count']);
  let piece: { first: number; extents: number } | undefined;
  for (let i = 1; i <= Math.min(count, MOST_SEGMENTS); i++) {
    const segment = section(volume[`segment${i}`]);
    const stripes = segment['stripes'];
    if (segment['type'] !== 'striped' || segment['stripe_count'] !== 1 || !Array.isArray(stripes) || stripes[0] !== physical) {
      throw unreadable('its root is striped, mirrored or on several disks');
    }
    const first = number(stripes[1]);
    const extents = number(segment['extent_count']);
    if (piece === undefined) piece = { first, extents };
    else if (first === piece.first + piece.extents) piece = { first: piece.first, extents: piece.extents + extents };
    else throw unreadable('its root is in several pieces');
  }
  if (piece === undefined || count > MOST_SEGMENTS) throw unreadable('its root is in several pieces');
  return piece;
}

const MOST_SEGMENTS = 100;

function isSection(value: LvmValue | undefined): value is LvmSection {
  return typeof value === 'object' && !Array.isArray(value);
}

function section(value: LvmValue | undefined): LvmSection {
  if (!isSection(value)) throw unreadable('a section of its metadata is missing');
  return value;
}

function number(value: LvmValue | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw unreadable('a number of its metadata is missing');
  return value;
}

function dashless(value: LvmValue | undefined): string {
  return typeof value === 'string' ? value.replaceAll('-', '') : '';
}

/** Why a physical volume cannot be read, as an error. */
export function unreadable(reason: string): IngotError {
  return new IngotError('verification', 'lvm-unreadable', `The logical volumes of the disk cannot be read: ${reason}`);
}
