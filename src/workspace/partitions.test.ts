import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describePartitions, parsePartitions, rootCandidates, type FoundPartition } from './partition-table.ts';
import { mountsOf } from './partitions.ts';

const partition = (uuid: string, filesystem = 'ext4'): FoundPartition => ({ start: 0, size: 1, filesystem, uuid });
const VAR = partition('11111111-1111-4111-8111-111111111111');
const LOG = partition('22222222-2222-4222-8222-222222222222', 'xfs');

describe('mounts of an image', () => {
  test('are those of its fstab that are on its disk, outer ones first', () => {
    const fstab = `# a comment
UUID=${LOG.uuid} /var/log xfs defaults 0 0
UUID=33333333-3333-4333-8333-333333333333 /srv ext4 defaults 0 2
UUID=${VAR.uuid.toUpperCase()}\t/var   ext4 defaults 0 2
/dev/sdb1 /data ext4 defaults 0 2
`;
    expect(mountsOf(fstab, [LOG, VAR])).toEqual([
      { path: '/var', partition: VAR },
      { path: '/var/log', partition: LOG },
    ]);
  });

  test.each([
    `UUID=${VAR.uuid} / ext4 defaults`,
    `UUID=${VAR.uuid} /../etc ext4 defaults`,
    `UUID=${VAR.uuid} /var/../../etc ext4 defaults`,
    `UUID=${VAR.uuid} var ext4 defaults`,
    `UUID=${VAR.uuid} /proc ext4 defaults`,
    `UUID=${VAR.uuid} /etc/x ext4 defaults`,
    `UUID=${VAR.uuid} /var\\040x ext4 defaults`,
    `UUID=${VAR.uuid} /var xfs defaults`,
    `UUID=${VAR.uuid} /var ext4 noauto,defaults`,
    `UUID=${VAR.uuid}`,
  ])('are not made of: %s', (line) => {
    expect(mountsOf(line, [VAR])).toEqual([]);
  });

  test('stay inside the root, whatever the text', () => {
    const segment = fc.constantFrom('..', '.', 'var', '/', '//', 'a b', 'log', '-o', '$(x)', '\\040');
    fc.assert(
      fc.property(fc.array(fc.array(segment, { maxLength: 5 })), (lines) => {
        const fstab = lines.map((parts) => `UUID=${VAR.uuid} /${parts.join('/')} ext4 defaults 0 0`).join('\n');
        for (const { path } of mountsOf(fstab, [VAR])) expect(path).toMatch(/^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/);
      }),
    );
  });
});

describe('what an fstab may call a part of a disk', () => {
  const LABELLED: FoundPartition = { start: 0, size: 1, filesystem: 'ext4', uuid: '', label: 'BOOT', partitionUuid: 'dead-01', partitionLabel: 'boot' };
  const VOLUME: FoundPartition = { start: 0, size: 1, filesystem: 'xfs', uuid: '', volume: { group: 'vg-main', name: 'var' } };
  test.each(['LABEL=BOOT', '/dev/disk/by-label/BOOT', 'PARTUUID=DEAD-01', 'PARTLABEL=boot'])('%s', (word) => {
    expect(mountsOf(`${word} /boot ext4 defaults 0 0`, [LABELLED])).toEqual([{ path: '/boot', partition: LABELLED }]);
  });
  test.each(['/dev/mapper/vg--main-var', '/dev/vg-main/var'])('%s', (word) => {
    expect(mountsOf(`${word} /var xfs defaults 0 0`, [VOLUME])).toEqual([{ path: '/var', partition: VOLUME }]);
  });
  test('nothing by a name that only its machine knows, or that is empty', () => {
    expect(mountsOf('/dev/vda2 /boot ext4 defaults 0 0\nUUID= /srv ext4 defaults 0 0\nLABEL= /opt ext4 defaults 0 0', [LABELLED, VOLUME])).toEqual([]);
  });
  test('a subvolume of btrfs', () => {
    const btrfs = partition('44444444-4444-4444-8444-444444444444', 'btrfs');
    expect(mountsOf(`UUID=${btrfs.uuid} /home btrfs compress=zstd:1,subvol=/@/home 0 0`, [btrfs])).toEqual([
      { path: '/home', partition: btrfs, subvolume: '@/home' },
    ]);
  });
});

describe('the root of a disk', () => {
  const part = (number: number, filesystem: string, type: string): FoundPartition => ({ number, start: number, size: 1, filesystem, uuid: '', type });

  test('is by its type, before a volume called root, before all else that may hold one', () => {
    const data = part(3, 'xfs', '0x83');
    const root = part(4, 'ext4', '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709');
    const boot = part(2, 'ext4', 'BC13C2FF-59E6-4262-A352-B275FD6F7172');
    const volumes = ['var', 'rootlv'].map((name): FoundPartition => ({ start: 9, size: 1, filesystem: 'xfs', uuid: '', volume: { group: 'vg', name } }));
    expect(rootCandidates([part(1, 'vfat', '0xef'), boot, data, ...volumes, root, part(5, 'LVM2_member', '0x8e')])).toEqual([
      root,
      volumes[1],
      data,
      volumes[0],
    ]);
  });

  test('is not looked for in what has a table of its own', () => {
    const line = (nr: number, type: string): string => `NR="${nr}" START="${2048 * nr}" SECTORS="2048" TYPE="${type}" UUID="deadbeef-0${nr}" NAME=""`;
    expect(parsePartitions([line(1, '0x83'), line(2, '0x5'), line(5, '0x83'), 'nonsense', ''].join('\n')).map(({ number }) => number)).toEqual([1, 5]);
  });

  test('that is not there leaves a table of what is', () => {
    expect(
      describePartitions([
        { ...part(1, '', '0x83'), start: 1048576, size: 2 ** 30 },
        { ...part(2, 'swap', '0x82'), label: 'swap' },
      ]),
    ).toMatch(/^partition 1 {2}at 1.0 MiB {2}1.0 GiB {2}no file system that is known {2}- +0x83\npartition 2/);
  });
});
