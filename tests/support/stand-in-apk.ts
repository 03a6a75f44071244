import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/*
 * A repository of apk version 2 that a test makes: packages are gzip streams of tar segments (signature, control, data), an index is two such streams.
 * Formats: https://wiki.alpinelinux.org/wiki/Apk_spec. Served by `standIn({ files })`.
 */

export interface ApkPackage {
  readonly name: string;
  /** As apk wants it: `1.0-r0`. */
  readonly version: string;
  readonly depends?: readonly string[];
  /** Absolute path -> content; a mode other than 0644 is said with it. */
  readonly files?: Readonly<Record<string, string | { readonly content: string | Buffer; readonly mode: number }>>;
  readonly postInstall?: string;
}

export interface ApkKey {
  /** The file's name in /etc/apk/keys. */
  readonly name: string;
  /** PEM. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

export function makeApkKey(name: string): ApkKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { name: `${name}.rsa.pub`, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(), privateKey };
}

export interface ApkRepository {
  /** Path below which it lies. */
  readonly at: string;
  readonly packages: readonly ApkPackage[];
  /** Without one nothing is signed. */
  readonly key?: ApkKey;
}

/** The files of a repository for x86_64, by path. */
export function apkRepository({ at, packages, key }: ApkRepository): Record<string, Buffer> {
  const built = packages.map((item) => ({ item, ...buildApk(item, key) }));
  const index = built.map(({ item, content, control }) => `${stanza(item, content, control)}\n`).join('');
  const unsigned = gzipSync(
    tar([
      { path: 'DESCRIPTION', content: 'a repository of a test' },
      { path: 'APKINDEX', content: index },
    ]),
  );
  return Object.fromEntries([
    [`${at}/x86_64/APKINDEX.tar.gz`, Buffer.concat([...signature(unsigned, key), unsigned])],
    ...built.map(({ item, content }): [string, Buffer] => [`${at}/x86_64/${item.name}-${item.version}.apk`, content]),
  ]);
}

function stanza({ name, version, depends = [] }: ApkPackage, content: Buffer, control: Buffer): string {
  // The identity of a package is the SHA-1 of its control segment.
  const identity = createHash('sha1').update(control).digest('base64');
  const needs = depends.length === 0 ? '' : `D:${depends.join(' ')}\n`;
  return `C:Q1${identity}\nP:${name}\nV:${version}\nA:x86_64\nS:${content.length}\nI:4096\nT:stands for ${name} in tests\nU:https://example.invalid\nL:MIT\no:${name}\nt:1700000000\n${needs}`;
}

function buildApk(item: ApkPackage, key: ApkKey | undefined): { readonly content: Buffer; readonly control: Buffer } {
  const { name, version, depends = [], files = {}, postInstall } = item;
  const entries = Object.entries(files).map(([path, file]) => ({
    path: path.slice(1),
    ...(typeof file === 'string' ? { content: file, mode: 0o644 } : file),
  }));
  const folders = [
    ...new Set(
      entries.flatMap(({ path }) =>
        path
          .split('/')
          .slice(0, -1)
          .map((_, i, parts) => `${parts.slice(0, i + 1).join('/')}/`),
      ),
    ),
  ].toSorted();
  const data = gzipSync(tar([...folders.map((path) => ({ path })), ...entries.map((entry) => ({ ...entry, checksum: true }))]));
  const info = [
    `pkgname = ${name}`,
    `pkgver = ${version}`,
    `pkgdesc = stands for ${name} in tests`,
    'url = https://example.invalid',
    'builddate = 1700000000',
    'packager = Stand-in <stand-in@example.invalid>',
    'size = 4096',
    'arch = x86_64',
    `origin = ${name}`,
    'license = MIT',
    ...depends.map((depend) => `depend = ${depend}`),
    `datahash = ${createHash('sha256').update(data).digest('hex')}`,
    '',
  ].join('\n');
  const control = gzipSync(
    tar([{ path: '.PKGINFO', content: info }, ...(postInstall === undefined ? [] : [{ path: '.post-install', content: postInstall, mode: 0o755 }])], {
      cut: true,
    }),
  );
  return { content: Buffer.concat([...signature(control, key), control, data]), control };
}

/** The segment that goes before what it signs: as abuild-sign makes it. */
function signature(bytes: Buffer, key: ApkKey | undefined): Buffer[] {
  if (key === undefined) return [];
  return [gzipSync(tar([{ path: `.SIGN.RSA.${key.name}`, content: sign('RSA-SHA1', bytes, key.privateKey) }], { cut: true }))];
}

interface TarEntry {
  /** A folder ends with a slash. */
  readonly path: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  /** The content's SHA-1 goes into a PAX header, as apk keeps it. */
  readonly checksum?: boolean;
}

/** A tar archive; `cut` leaves its end away, so that another segment can follow. */
function tar(entries: readonly TarEntry[], { cut = false }: { readonly cut?: boolean } = {}): Buffer {
  const blocks = entries.flatMap(({ path, content = '', mode, checksum = false }) => {
    const bytes = Buffer.from(content);
    const folder = path.endsWith('/');
    const sum = createHash('sha1').update(bytes).digest('hex');
    return [
      ...(checksum ? record(path, paxField('APK-TOOLS.checksum.SHA1', sum), 0o644, 'x') : []),
      ...record(path, bytes, mode ?? (folder ? 0o755 : 0o644), folder ? '5' : '0'),
    ];
  });
  return Buffer.concat(cut ? blocks : [...blocks, Buffer.alloc(1024)]);
}

function paxField(name: string, value: string): Buffer {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}${rest}`.length !== length) length += 1;
  return Buffer.from(`${length}${rest}`);
}

function record(path: string, content: Buffer, mode: number, type: string): Buffer[] {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(path, 0, 100);
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(1_700_000_000, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  header.write('root', 265);
  header.write('root', 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
