import { describe, expect, test } from 'vitest';
import { sampleRelease } from '../../../../tests/support/installer.ts';
import { checkMedium, identifyMedium, releasesOf, type MediumIdentity } from './identify.ts';

const medium = (label: string, files: Readonly<Record<string, string>> = {}) => ({ label, text: (path: string) => Promise.resolve(files[path]) });

const TREE_INFO = (name: string, version: string, arch: string): string =>
  `[checksums]\nimages/boot.iso = sha256:00\n\n[general]\narch = ${arch}\nfamily = ${name}\nname = ${name} ${version}\nversion = ${version}\n\n` +
  `[header]\ntype = productmd.treeinfo\nversion = 1.2\n\n[release]\nname = ${name}\nshort = X\nversion = ${version}\n\n[tree]\narch = ${arch}\n`;

test.each<[string, Record<string, string>, Partial<MediumIdentity>]>([
  [
    'Debian 12.5.0 amd64 n',
    { '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27' },
    { distribution: 'debian', version: '12', arch: 'amd64' },
  ],
  [
    'Ubuntu-Server 24.04.1 LTS amd64',
    { '.disk/info': 'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)' },
    { distribution: 'ubuntu', version: '24.04', arch: 'amd64' },
  ],
  ['AlmaLinux-9-4-x86_64-dvd', { '.treeinfo': TREE_INFO('AlmaLinux', '9.4', 'x86_64') }, { distribution: 'almalinux', version: '9', arch: 'amd64' }],
  ['AlmaLinux-9-4-aarch64-dvd', {}, { distribution: 'almalinux', version: '9', arch: 'arm64' }],
  ['Rocky-9-4-x86_64-dvd', { '.treeinfo': TREE_INFO('Rocky Linux', '9.4', 'x86_64') }, { distribution: 'rocky', version: '9', arch: 'amd64' }],
  ['RHEL-9-4-0-BaseOS-x86_64', {}, { distribution: 'rhel', version: '9', arch: 'amd64' }],
  ['Fedora-S-dvd-x86_64-40', {}, { distribution: 'fedora', version: '40', arch: 'amd64' }],
  ['X', { '.treeinfo': TREE_INFO('Fedora', '43', 'aarch64') }, { distribution: 'fedora', version: '43', arch: 'arm64' }],
  [
    'openSUSE-Leap-15.6-DVD-x86_64710',
    { 'media.1/media': 'openSUSE - openSUSE-Leap-15.6-x86_64-Build710.3-Media\nopenSUSE-Leap\n1\n' },
    { distribution: 'opensuse-leap', version: '15.6', arch: 'amd64' },
  ],
  ['SLE-15-SP6-Full-x86_64', { 'media.1/media': 'SUSE - SLE-15-SP6-Full-x86_64-Build121.1-Media\n' }, { distribution: 'sles', version: '15.6', arch: 'amd64' }],
  [
    'Kali Live',
    { '.disk/info': 'Kali GNU/Linux 2024.1 "Kali-last-snapshot" - Official arm64 BD Binary-1 with firmware' },
    { distribution: 'kali', version: '2024.1', arch: 'arm64' },
  ],
  ['Devuan 5', { '.disk/info': 'Devuan GNU/Linux 5.0.1 "Daedalus" - amd64 SERVER' }, { distribution: 'devuan', version: '5', arch: 'amd64' }],
  ['Devuan 5', { '.disk/info': 'Devuan GNU/Linux 5.0.1' }, { distribution: 'devuan', version: '5' }],
  ['ARCH_202406', { 'arch/version': '2024.06.01\n' }, { distribution: 'arch' }],
  ['alpine-virt 3.21.0 x86_64', { '.alpine-release': 'alpine-virt 3.21.0 241205\n' }, { distribution: 'alpine', version: '3.21' }],
])('%s', async (label, files, expected) => {
  expect(await identifyMedium(medium(label, files))).toMatchObject(expected);
});

test('another CD is nothing that is known', async () => {
  expect(await identifyMedium(medium('CDROM', { 'README.txt': 'Debian' }))).toBeUndefined();
});

describe('a medium against what it is said to be', () => {
  const debian = sampleRelease({ distribution: 'debian', id: 'debian-12', version: '12', codename: 'bookworm' });
  const identity = { distribution: 'debian', version: '12', arch: 'amd64', said: 'Debian GNU/Linux 12.5.0' } as const;

  test('the same is good, and so is what does not say what it is', () => {
    checkMedium(identity, debian, 'amd64', 'a.iso');
    checkMedium(undefined, debian, 'amd64', 'a.iso');
  });

  test.each([
    [{ ...identity, distribution: 'ubuntu', said: 'Ubuntu 24.04' }, 'amd64'],
    [{ ...identity, version: '13' }, 'amd64'],
    [identity, 'arm64'],
  ])('another is refused', (other, arch) => {
    expect(() => checkMedium(other, debian, arch, 'a.iso')).toThrow(
      expect.objectContaining({ code: 'iso-differs', message: expect.stringContaining(other.said) }),
    );
  });

  test('releases of the catalog are found by it', () => {
    const others = [
      debian,
      sampleRelease({ distribution: 'debian', id: 'debian-13', version: '13' }),
      sampleRelease({ distribution: 'arch', id: 'arch', version: '', rolling: true }),
    ];
    expect(releasesOf(identity, others).map(({ id }) => id)).toEqual(['debian-12']);
    expect(releasesOf({ distribution: 'arch', said: '' }, others).map(({ id }) => id)).toEqual(['arch']);
    expect(releasesOf({ ...identity, version: '11' }, others)).toEqual([]);
  });
});
