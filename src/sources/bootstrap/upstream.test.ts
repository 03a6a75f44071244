import { expect, test } from 'vitest';
import { parsePrintUris, parseRemoved } from './apt.ts';
import { installedStatus, withoutPackages } from './installed-status.ts';

test('reads what apt would download, and nothing else', () => {
  const sha = 'a'.repeat(64);
  const text = `Reading package lists...\n'http://m.example/debian/pool/a/apt_2.6.1_amd64.deb' apt_2.6.1_amd64.deb 123 SHA256:${sha}\n'http://m.example/x.deb' x_1%3a2_all.deb 5 MD5Sum:abc\n`;
  expect(parsePrintUris(text)).toEqual([{ url: 'http://m.example/debian/pool/a/apt_2.6.1_amd64.deb', file: 'apt_2.6.1_amd64.deb', size: 123, sha256: sha }]);
});

test('reads what apt would remove', () => {
  const text = 'The following packages will be REMOVED:\n  exim4-base* libfoo1\n  libbar2\nThe following NEW packages will be installed:\n  postfix\n';
  expect(parseRemoved(text)).toEqual(['exim4-base', 'libfoo1', 'libbar2']);
  expect(parseRemoved('The following NEW packages will be installed:\n  postfix\n')).toEqual([]);
});

const METADATA = `Package: libip4tc2
Source: iptables
Version: 1.8.9-2
Installed-Size: 66
Architecture: amd64
Depends: libc6 (>= 2.28)
Description: netfilter
Filename: pool/x.deb

Package: libip4tc2
Version: 1.8.9-2
Installed-Size: 66

Package: tini
Version: 0.19.0-1
`;

test('packages of the metadata become installed ones, each once, with all by which apt tells builds of a version apart', () => {
  const status = installedStatus(METADATA, [{ name: 'libip4tc2', version: '1.8.9-2', arch: 'amd64' }]);
  expect(status).toBe(
    'Package: libip4tc2\nSource: iptables\nVersion: 1.8.9-2\nInstalled-Size: 66\nArchitecture: amd64\nDepends: libc6 (>= 2.28)\nStatus: install ok installed\n',
  );
});

test('a package that the metadata lost is named', () => {
  expect(() => installedStatus(METADATA, [{ name: 'tini', version: '0.18.0-1', arch: 'amd64' }])).toThrow('tini 0.18.0-1');
});

test('packages can be taken out of a status', () => {
  expect(withoutPackages(METADATA, ['libip4tc2'])).toBe('Package: tini\nVersion: 0.19.0-1\n');
});
