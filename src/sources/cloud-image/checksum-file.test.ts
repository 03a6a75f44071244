import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findChecksum, type Wanted } from './checksum-file.ts';

const hash = (text: string, algorithm = 'sha256'): string => createHash(algorithm).update(text).digest('hex');
const [ONE, TWO] = [hash('one'), hash('two')];
const wanted = (changes: Partial<Wanted> = {}): Wanted => ({
  algorithm: 'sha256',
  style: 'gnu',
  name: 'image.qcow2',
  pattern: false,
  file: 'SHA256SUMS',
  ...changes,
});
const code = (text: string, changes: Partial<Wanted> = {}): string => {
  try {
    return findChecksum(text, wanted(changes)).hex;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
};

test.each([
  ['GNU, text mode', `${TWO}  other.qcow2\n${ONE}  image.qcow2\n`],
  ['GNU, binary mode', `${ONE} *image.qcow2\n`],
  ['GNU, with ./', `${ONE}  ./image.qcow2\n`],
  ['GNU, in a folder', `${ONE}  cloud/amd64/image.qcow2\n${TWO}  cloud/arm64/image.qcow2.xz\n`],
  ['GNU, with the same name in a folder', `${TWO}  old/image.qcow2\n${ONE}  image.qcow2\n`],
  ['GNU, with tabs', `${ONE}\timage.qcow2\n`],
  ['BSD', `# image.qcow2: 512 bytes\nSHA256 (image.qcow2) = ${ONE}\nMD5 (image.qcow2) = ${hash('one', 'md5')}\n`],
  ['BSD, with CRLF', `SHA256 (image.qcow2) = ${ONE}\r\nSHA256 (other) = ${TWO}\r\n`],
  ['capital digits', `${ONE.toUpperCase()}  image.qcow2`],
  ['the same twice', `${ONE}  image.qcow2\n${ONE}  image.qcow2\n`],
  ['several algorithms', `${hash('x', 'sha512')}  image.qcow2\n${ONE}  image.qcow2\n`],
  [
    'clear-signed, as it came',
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${ONE}  image.qcow2\n-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n`,
  ],
])('%s', (_, text) => expect(code(text)).toBe(ONE));

describe('other styles', () => {
  test('a hash alone', () => {
    expect(code(`${ONE}\n`, { style: 'single' })).toBe(ONE);
    expect(code(hash('one', 'sha512'), { style: 'single', algorithm: 'sha512' })).toBe(hash('one', 'sha512'));
  });
  test('a file of its own, which may name another build', () => {
    expect(code(`${ONE}  image-Build1.23.qcow2\n`, { style: 'per-file' })).toBe(ONE);
    expect(code(`${ONE}  a\n${TWO}  b\n`, { style: 'per-file' })).toBe('checksum-ambiguous');
  });
  test("Gentoo's headings say the algorithm", () => {
    const [blake, sha512] = [hash('blake', 'sha512'), hash('one', 'sha512')];
    const text = `# BLAKE2B HASH\n${blake}  image.qcow2\n# SHA512 HASH\n${sha512}  image.qcow2\n${blake}  image.qcow2.CONTENTS\n`;
    expect(code(text, { style: 'digests', algorithm: 'sha512' })).toBe(sha512);
  });
  test('JSON', () => {
    const text = JSON.stringify({ kvm: { image: 'a', sha256: ONE, 'a/b~c': [TWO] } });
    expect(code(text, { style: 'json', pointer: '/kvm/sha256' })).toBe(ONE);
    expect(code(text, { style: 'json', pointer: '/kvm/a~1b~0c/0' })).toBe(TWO);
    for (const pointer of ['/kvm/image', '/none/x', '']) expect(code(text, { style: 'json', pointer })).toBe('checksum-missing');
    expect(code('<html>', { style: 'json', pointer: '/a' })).toBe('checksum-missing');
  });
  test('of a pattern, the newest build counts', () => {
    const name = 'CentOS-*.x86_64.qcow2';
    const text = `${TWO}  CentOS-20240909.1.x86_64.qcow2\n${ONE}  CentOS-20241001.0.x86_64.qcow2\n${TWO}  CentOS-20250101.0.aarch64.qcow2\n${TWO}  CentOS-9.x86_64.qcow2\n`;
    expect(findChecksum(text, wanted({ name, pattern: true }))).toEqual({ hex: ONE, name: 'CentOS-20241001.0.x86_64.qcow2' });
    expect(code(text, { name: 'Cent+S-*', pattern: true })).toBe('checksum-missing');
  });
});

test('what disagrees, is weak, or is not there', () => {
  expect(code(`${ONE}  image.qcow2\n${TWO}  image.qcow2\n`)).toBe('checksum-ambiguous');
  expect(code(`${hash('one', 'md5')}  image.qcow2\n`)).toBe('checksum-weak');
  expect(code(`${hash('one', 'sha1')}  image.qcow2\n`)).toBe('checksum-weak');
  for (const text of ['', '<html>404</html>', `${ONE}  image.qcow2.xz\n`, `${ONE.slice(1)}  image.qcow2\n`]) expect(code(text)).toBe('checksum-missing');
});

test('any list in any style gives each file its own hash', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,30}$/);
  const line = fc.constantFrom<(hex: string, name: string) => string>(
    (hex, file) => `${hex}  ${file}`,
    (hex, file) => `${hex.toUpperCase()} *${file}`,
    (hex, file) => `${hex}  ./${file}`,
    (hex, file) => `SHA256 (${file}) = ${hex}`,
    (hex, file) => `SHA256(${file})= ${hex}`,
    (hex, file) => `  ${hex}\t${file}  `,
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 8 }), line, fc.constantFrom('\n', '\r\n'), fc.boolean(), (names, write, end, comments) => {
      const lines = names.flatMap((each) => [...(comments ? [`# ${each}: 12 bytes`, ''] : []), write(hash(each), each)]);
      const text = lines.join(end);
      for (const each of names) expect(findChecksum(text, wanted({ name: each })).hex).toBe(hash(each));
    }),
  );
});

test('any text is read to its end', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), fc.constantFrom<Wanted['style']>('gnu', 'bsd', 'single', 'per-file', 'digests', 'json'), (text, style) =>
      /^([0-9a-f]{64}|checksum-)/.test(code(text, { style, pointer: '/a' })),
    ),
  );
});
