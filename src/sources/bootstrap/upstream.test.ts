import { expect, test } from 'vitest';
import { parsePrintUris } from './upstream.ts';

test('reads what apt would download, and nothing else', () => {
  const sha = 'a'.repeat(64);
  const text = `Reading package lists...\n'http://m.example/debian/pool/a/apt_2.6.1_amd64.deb' apt_2.6.1_amd64.deb 123 SHA256:${sha}\n'http://m.example/x.deb' x_1%3a2_all.deb 5 MD5Sum:abc\n`;
  expect(parsePrintUris(text)).toEqual([{ url: 'http://m.example/debian/pool/a/apt_2.6.1_amd64.deb', file: 'apt_2.6.1_amd64.deb', size: 123, sha256: sha }]);
});
