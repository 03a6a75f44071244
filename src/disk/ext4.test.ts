import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mke2fsLike, parseExt4, timeCommands, usedInodes } from './ext4.ts';

const HEAD = `Filesystem volume name:   root
Filesystem UUID:          d7fdb3de-cbec-4b62-b677-0e4f72c7bf49
Filesystem features:      has_journal ext_attr needs_recovery extent 64bit metadata_csum
Inode count:              126976
Block count:              507136
Reserved block count:     5071
Block size:               4096
Inode size:	          256
Directory Hash Seed:      11111111-cbec-4b62-b677-0e4f72c7bf49
Total journal size:       32M
`;

describe('an ext4 file system', () => {
  test('is made anew with the same properties, and none that only mounting gave it', () => {
    const like = parseExt4(HEAD);
    expect(like).toMatchObject({
      label: 'root',
      blocks: 507_136,
      inodeSize: 256,
      journal: 32,
      features: ['has_journal', 'ext_attr', 'extent', '64bit', 'metadata_csum'],
    });
    const argv = mke2fsLike(like, { start: 1_048_576, disk: '/disk', tree: '/tree' });
    expect(argv).toContain('none,has_journal,ext_attr,extent,64bit,metadata_csum');
    expect(argv.join(' ')).toMatch(/-U d7fdb3de\S+ .*offset=1048576,hash_seed=11111111-.* -d \/tree \/disk 507136$/);
  });

  test('without label, seed and journal is read, too', () => {
    const text = HEAD.replace('root\n', '<none>\n')
      .replace(/Directory.*\n/, '')
      .replace(/Total.*\n/, '');
    expect(parseExt4(text)).toMatchObject({ label: '', hashSeed: 'd7fdb3de-cbec-4b62-b677-0e4f72c7bf49', journal: undefined });
    expect(parseExt4(HEAD.replace('Total journal size:       32M', 'Journal size:             4096k')).journal).toBe(4);
  });

  test('that does not say what it is is refused', () => {
    expect(() => parseExt4('dumpe2fs: Bad magic number')).toThrow(expect.objectContaining({ code: 'filesystem-unreadable' }));
  });
});

test('inodes in use are those that no group has free', () => {
  expect(usedInodes('  Free inodes: 3-5, 8\n  Free inodes: \n Free inodes: 10-99999999999\n', 10)).toEqual([1, 2, 6, 7, 9]);
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 200 })), (free) => {
      const used = usedInodes(`Free inodes: ${free.join(', ')}`, 200);
      expect([...used, ...free].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    }),
  );
});

test('commands for old, small inodes leave out what they have no room for', () => {
  expect(timeCommands([12], 7, 128)).toBe('set_inode_field <12> atime @7\nset_inode_field <12> ctime @7\n');
  expect(timeCommands([12], 7, 256)).toContain('set_inode_field <12> crtime @7\n');
});
