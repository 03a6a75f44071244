import { alignColumns } from '../base/columns.ts';
import { formatSize } from '../base/types.ts';
import { PARTITION_TYPES, SECTOR } from '../disk/layout.ts';
import { findLvmVolumes, LVM_HEAD } from '../disk/lvm.ts';
import type { Executor } from './executor.ts';

/** A part of a disk as it was found: a partition, a logical volume in one, or the whole disk where it has no partition table. Sizes in bytes. */
export interface FoundPartition {
  readonly start: number;
  readonly size: number;
  /** As blkid names it; empty where it knows none. */
  readonly filesystem: string;
  readonly uuid: string;
  readonly label?: string;
  /** Of the partition, not of its file system. */
  readonly partitionUuid?: string;
  readonly partitionLabel?: string;
  /** Type of the partition: a GUID in upper case, or `0x83`. */
  readonly type?: string;
  readonly number?: number;
  /** Of a logical volume: its group and name. */
  readonly volume?: { readonly group: string; readonly name: string };
}

/** Types of a partition that is a root by its type alone (Discoverable Partitions Specification). */
const ROOT_TYPES: readonly string[] = [PARTITION_TYPES.root.amd64, PARTITION_TYPES.root.arm64];
/** Types that a root never has: the firmware's, /boot, and other trees of the same specification. */
const OTHER_TYPES: readonly string[] = [
  PARTITION_TYPES.biosBoot,
  PARTITION_TYPES.efi,
  'BC13C2FF-59E6-4262-A352-B275FD6F7172', // /boot
  '933AC7E1-2EB4-4F13-B844-0E14E2AEF915', // /home
  '3B8F8425-20E0-4F3B-907F-1A25A76F98E8', // /srv
  '4D21B016-B534-45C2-A9FB-5C16E091FD2D', // /var
  '7EC6F557-3BC5-4ACA-B293-16EF5DF639D1', // /var/tmp
  '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', // swap
  '0xef',
  '0x82',
];
const VOLUME_MEMBER = 'LVM2_member';

/** What is mounted of an image: file systems that its own kernel has made, and nothing that would look for further devices. */
export const FILESYSTEMS = ['ext4', 'xfs', 'btrfs'];
/** What is mounted of it besides its root. */
export const OTHER_FILESYSTEMS = [...FILESYSTEMS, 'vfat'];

const BREAK = '==== ingot ====';
/** blkid: nothing was found, or several things. */
const NOT_CLEAR = '[ $? = 2 ] || [ $? = 8 ]';

const READ_DISK = `
if [ -b "$1" ]; then blockdev --getsize64 "$1"; else stat -L -c %s "$1"; fi; echo '${BREAK}'
blkid --probe --output export "$1" || ${NOT_CLEAR}; echo '${BREAK}'
partx --pairs --output NR,START,SECTORS,TYPE,UUID,NAME "$1" 2>/dev/null || true
`;

/** Everything on a disk that can hold a file system, in the order of the partition table; logical volumes follow their partition. */
export async function readPartitionTable(executor: Executor, disk: string): Promise<FoundPartition[]> {
  const { stdout } = await executor.run(['sh', '-c', READ_DISK, 'sh', disk]);
  const [size = '', whole = '', table = ''] = stdout.split(`${BREAK}\n`);
  const entries = parsePartitions(table);
  const alone = probed(whole);
  // The boot sector of a file system can look like a partition table of nonsense.
  if (FILESYSTEMS.includes(alone.filesystem) || entries.length === 0) return [{ start: 0, size: Number(size), ...alone }];
  const found = await probeAll(executor, disk, entries);
  const parts: FoundPartition[] = [];
  for (const part of found) {
    parts.push(part);
    if (part.filesystem === VOLUME_MEMBER) parts.push(...(await probeAll(executor, disk, await volumesOf(executor, disk, part))));
  }
  return parts;
}

type Entry = Omit<FoundPartition, 'filesystem' | 'uuid' | 'label'>;

/** Makes sense of `partx --pairs`: each line has `NAME="value"` for each column. */
export function parsePartitions(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    const value = (name: string): string => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(line)?.[1] ?? '';
    const [start, sectors] = [Number(value('START')), Number(value('SECTORS'))];
    const type = value('TYPE');
    // What holds logical partitions has a table of its own, and no file system.
    if (!(start > 0) || !(sectors > 0) || ['0x5', '0xf', '0x85'].includes(type)) return [];
    return [
      {
        number: Number(value('NR')),
        start: start * SECTOR,
        size: sectors * SECTOR,
        type: type.startsWith('0x') ? type : type.toUpperCase(),
        ...(value('UUID') === '' ? {} : { partitionUuid: value('UUID') }),
        ...(value('NAME') === '' ? {} : { partitionLabel: value('NAME') }),
      },
    ];
  });
}

/** What `blkid --output export` says; empty where it knows nothing. */
function probed(text: string): Pick<FoundPartition, 'filesystem' | 'uuid' | 'label'> {
  const value = (name: string): string => (new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '').replaceAll(/\\(.)/g, '$1');
  return { filesystem: value('TYPE'), uuid: value('UUID'), ...(value('LABEL') === '' ? {} : { label: value('LABEL') }) };
}

/** One program for all, which takes time to start in a helper VM. */
const PROBE = `
disk=$1; shift
while [ $# -gt 0 ]; do
  blkid --probe --offset "$1" --size "$2" --output export "$disk" || ${NOT_CLEAR}; echo '${BREAK}'
  shift 2
done`;

async function probeAll(executor: Executor, disk: string, entries: readonly Entry[]): Promise<FoundPartition[]> {
  if (entries.length === 0) return [];
  const { stdout } = await executor.run(['sh', '-c', PROBE, 'sh', disk, ...entries.flatMap(({ start, size }) => [String(start), String(size)])]);
  const answers = stdout.split(`${BREAK}\n`);
  return entries.map((entry, i) => ({ ...entry, ...probed(answers[i] ?? '') }));
}

/** The logical volumes in a partition, as parts of the disk: they are read without device-mapper. */
async function volumesOf(executor: Executor, disk: string, { start, size }: FoundPartition): Promise<Entry[]> {
  const head = await readLvmHead(executor, disk, start);
  return findLvmVolumes(head, size).map(({ group, volume, start: at, size: bytes }) => ({ start: start + at, size: bytes, volume: { group, name: volume } }));
}

/** The beginning of a physical volume, where its metadata are. */
export async function readLvmHead(executor: Executor, disk: string, start: number): Promise<Buffer> {
  const script = 'dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none | base64 -w0';
  const { stdout } = await executor.run(['sh', '-ec', script, 'sh', disk, String(start), String(LVM_HEAD)]);
  return Buffer.from(stdout, 'base64');
}

/** What may be the root, the most likely first: by the partition's type, a volume called root, then whatever else holds a file system. Pure. */
export function rootCandidates(parts: readonly FoundPartition[]): FoundPartition[] {
  const rank = ({ type = '', volume }: FoundPartition): number => {
    if (ROOT_TYPES.includes(type)) return 0;
    if (volume !== undefined) return /root/i.test(volume.name) ? 1 : 3;
    return 2;
  };
  return parts.filter(({ filesystem, type = '' }) => FILESYSTEMS.includes(filesystem) && !OTHER_TYPES.includes(type)).toSorted((a, b) => rank(a) - rank(b));
}

/** A table of what was found, for people. */
export function describePartitions(parts: readonly FoundPartition[]): string {
  return alignColumns(
    parts.map(({ number, start, size, filesystem, label = '', partitionLabel = '', type = '', volume }) => [
      volume === undefined ? (number === undefined ? 'the whole disk' : `partition ${number}`) : `volume ${volume.group}/${volume.name}`,
      `at ${formatSize(start)}`,
      formatSize(size),
      filesystem || 'no file system that is known',
      label || partitionLabel || '-',
      type,
    ]),
  );
}
