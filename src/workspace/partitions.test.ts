import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mountsOf, type FoundPartition } from './partitions.ts';

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
