import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { fstab } from './fstab.ts';

const ROOT = '0f8e1c8e-6d3f-4a8c-9c53-2f1c1f6d3a11';

/** Runs the check on files of a system, whose paths begin with /. */
function check(files: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const script = fstab.script.replaceAll(/(?<=[ (])\/(?=etc\/|boot\/(?:grub|loader|extlinux))/g, `${folder}/`);
    const output = execFileSync('sh', [], { input: script, encoding: 'utf8', env: { PATH: process.env['PATH'], INGOT_ROOT_UUID: ROOT } });
    return output.replaceAll(`${folder}/`, '/').split('\n').slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const FSTAB = `UUID=${ROOT} / ext4 defaults 0 1\n`;

test.each<readonly [string, Readonly<Record<string, string>>]>([
  [
    'Debian',
    {
      '/etc/fstab': `# UUID=x / ext4\n${FSTAB}`,
      '/boot/grub/grub.cfg': `set root='hd0,gpt1'\n  search --set=root ${ROOT}\n  linux /vmlinuz root=UUID=${ROOT} ro\n`,
    },
  ],
  ['Ubuntu', { '/etc/fstab': 'LABEL=cloudimg-rootfs / ext4 discard 0 1\n', '/boot/grub/grub.cfg': 'linux /boot/vmlinuz root=PARTUUID=5d1e-01 ro\n' }],
  [
    'RHEL, whose entries are files of their own',
    { '/etc/fstab': FSTAB, '/boot/grub2/grub.cfg': 'blscfg\n', '/boot/loader/entries/a.conf': `options root=UUID=${ROOT} ro\n` },
  ],
  [
    'RHEL 8, whose entries name a variable',
    { '/etc/fstab': FSTAB, '/boot/grub2/grubenv': `kernelopts=root=UUID=${ROOT} ro\n`, '/boot/loader/entries/a.conf': 'options $kernelopts\n' },
  ],
  ['LVM', { '/etc/fstab': '/dev/mapper/system-root / xfs defaults 0 0\n', '/boot/grub2/grub.cfg': 'linux /vmlinuz root=/dev/system/root ro\n' }],
  ['Alpine', { '/etc/fstab': FSTAB, '/boot/extlinux.conf': `APPEND root=UUID=${ROOT} modules=ext4\n` }],
  ['an image that starts by its firmware alone', { '/etc/fstab': FSTAB }],
])('what names the root of its own disk passes: %s', (_, files) => {
  expect(check(files)).toEqual([]);
});

test('another root, a name that only one machine has, and none are found', () => {
  const other = ROOT.replace('0f', '1f');
  expect(check({ '/etc/fstab': `UUID=${other} / ext4\n`, '/boot/grub/grub.cfg': 'linux /vmlinuz root=/dev/vda1 ro\nlinux /old root=/dev/vda1\n' })).toEqual([
    `/etc/fstab says UUID=${other}, the root file system is ${ROOT}`,
    '/boot/grub/grub.cfg names the root as /dev/vda1, which another machine may call something else',
  ]);
  expect(check({ '/etc/fstab': 'proc /proc proc\n', '/boot/grub/grub.cfg': 'linux /vmlinuz ro\n' })).toEqual([
    '/etc/fstab names no root',
    'nothing below /boot tells the kernel where its root is',
  ]);
});
