import { IngotError } from '../base/errors.ts';

/** What of an ext4 file system makes another one like it; sizes in bytes where nothing else is said. */
export interface Ext4Parameters {
  readonly label: string;
  readonly uuid: string;
  readonly hashSeed: string;
  readonly features: readonly string[];
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodeSize: number;
  readonly inodes: number;
  readonly reservedBlocks: number;
  /** MiB; undefined without a journal. */
  readonly journal: number | undefined;
}

/** States, not properties: they come and go while a file system is mounted. */
const STATES = ['needs_recovery', 'orphan_present', 'journal_dev'];

/** Reads what `dumpe2fs -h` says. Throws `filesystem-unreadable`. */
export function parseExt4(text: string): Ext4Parameters {
  const value = (name: string): string => new RegExp(`^${name}:[ \\t]+(.*?)\\s*$`, 'm').exec(text)?.[1] ?? '';
  const number = (name: string): number => {
    const found = /^\d+$/.exec(value(name))?.[0];
    if (found === undefined) throw new IngotError('verification', 'filesystem-unreadable', `The file system does not say its ${name.toLowerCase()}`);
    return Number(found);
  };
  const uuid = value('Filesystem UUID');
  const seed = value('Directory Hash Seed');
  const label = value('Filesystem volume name');
  const journal = /^(\d+)([kM])$/.exec(value('(?:Total journal|Journal) size'));
  return {
    label: label === '<none>' ? '' : label,
    uuid,
    hashSeed: seed === '' ? uuid : seed,
    features: value('Filesystem features')
      .split(' ')
      .filter((name) => name !== '' && !STATES.includes(name)),
    blockSize: number('Block size'),
    blocks: number('Block count'),
    inodeSize: number('Inode size'),
    inodes: number('Inode count'),
    reservedBlocks: number('Reserved block count'),
    journal: journal === null ? undefined : Math.max(1, Math.round(Number(journal[1]) / (journal[2] === 'k' ? 1024 : 1))),
  };
}

/** The command that makes the same file system anew in a part of a disk, from a tree. */
export function mke2fsLike(like: Ext4Parameters, { start, disk, tree }: { start: number; disk: string; tree: string }): readonly [string, ...string[]] {
  return [
    ...(['mke2fs', '-q', '-F', '-t', 'ext4', '-L', like.label, '-U', like.uuid] as const),
    ...['-b', String(like.blockSize), '-I', String(like.inodeSize), '-N', String(like.inodes)],
    ...['-m', String((like.reservedBlocks * 100) / like.blocks)],
    ...(like.journal === undefined ? [] : ['-J', `size=${like.journal}`]),
    // Only what is named is on: the features are the source's, whatever the configuration of mke2fs says today.
    ...['-O', ['none', ...like.features].join(',')],
    ...['-E', `offset=${start},hash_seed=${like.hashSeed},lazy_itable_init=0,lazy_journal_init=0,nodiscard`],
    ...['-d', tree, disk, String(like.blocks)],
  ];
}

/** Inodes in use, by what `dumpe2fs` says of each group's free ones. */
export function usedInodes(text: string, inodes: number): number[] {
  const free = new Uint8Array(inodes + 1);
  for (const [, ranges = ''] of text.matchAll(/^\s*Free inodes: (.*)$/gm)) {
    for (const [, from = '', to = from] of ranges.matchAll(/(\d+)(?:-(\d+))?/g)) free.fill(1, Number(from), Math.min(Number(to), inodes) + 1);
  }
  return Array.from({ length: inodes }, (_, i) => i + 1).filter((inode) => free[inode] === 0);
}

/** Commands for debugfs that give inodes one time of reading, changing and making, and whole seconds; when a file was written stays. */
export function timeCommands(inodes: readonly number[], epoch: number, inodeSize: number): string {
  const fields = [
    ...['atime', 'ctime'].map((field) => `${field} @${epoch}`),
    // Inodes of 128 bytes have no room for more.
    ...(inodeSize > 128 ? [`crtime @${epoch}`, ...['atime_extra', 'ctime_extra', 'mtime_extra', 'crtime_extra'].map((field) => `${field} 0`)] : []),
  ];
  return inodes.flatMap((inode) => fields.map((field) => `set_inode_field <${inode}> ${field}\n`)).join('');
}
