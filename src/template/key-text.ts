import { createPublicKey, X509Certificate } from 'node:crypto';

/* The texts that a template brings in, checked before anything is built with them. Each answers what is wrong, and never shows the text. */

/** What a text that should have been public says of itself, where it must not be in an image. */
function isPrivate(text: string): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY/.test(text);
}

const KEY_TYPES = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  ...['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'sk-ssh-ed25519', 'sk-ecdsa-sha2-nistp256'].map(
    (type) => `${type}-cert-v01@openssh.com`,
  ),
]);

export type Checked<T> = { readonly value: T } | { readonly message: string };

/** The keys of an authorized_keys text, one per line, comments left out. The format: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
export function sshKeys(text: string): Checked<string[]> {
  if (isPrivate(text)) return { message: 'is a private key; the public one (.pub) is wanted' };
  const keys: string[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fault = keyFault(line);
    if (fault !== undefined) return { message: text.trim().includes('\n') ? `line ${i + 1} ${fault}` : fault };
    keys.push(line);
  }
  return keys.length > 0 ? { value: keys } : { message: 'holds no key' };
}

function keyFault(line: string): string | undefined {
  const words = wordsOf(line);
  const at = words.findIndex((word) => KEY_TYPES.has(word));
  if (words.includes('ssh-dss')) return 'is a DSA key, which OpenSSH no longer accepts';
  if (at === -1 || at > 1) return 'is not a public SSH key such as `ssh-ed25519 AAAA… comment`';
  const blob = words[at + 1] ?? '';
  const fields = /^[A-Za-z0-9+/]+={0,2}$/.test(blob) ? fieldsOf(Buffer.from(blob, 'base64')) : [];
  if (fields.length < 2 || fields[0]?.toString('latin1') !== words[at]) return 'is a public SSH key that is cut off or changed';
  return undefined;
}

/** The fields of a key, each with its length before it (RFC 4253, 6.6); none where the last one is not whole. */
function fieldsOf(bytes: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const start = at + 4;
    const end = bytes.length < start ? Infinity : start + bytes.readUInt32BE(at);
    if (end > bytes.length) return [];
    fields.push(bytes.subarray(start, end));
    at = end;
  }
  return fields;
}

/** Words of a line; blanks in the quotes of options belong to a word. */
function wordsOf(line: string): string[] {
  return line.match(/(?:"(?:\\"|[^"])*"|[^\s"])+/g) ?? [];
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** The certificates of a PEM text. */
export function certificates(text: string): Checked<string[]> {
  if (isPrivate(text)) return { message: 'holds a private key; an image trusts a certificate' };
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) return { message: 'holds no certificate in PEM (-----BEGIN CERTIFICATE-----)' };
  if (!found.every(isCertificate)) return { message: 'holds a certificate that is cut off or changed' };
  return { value: found.map((certificate) => `${certificate}\n`) };
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

const ARMOR = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*-----END PGP PUBLIC KEY BLOCK-----/;

/** A key of apk (apk-keys(5)). */
const RSA_KEY = /-----BEGIN PUBLIC KEY-----[\s\S]*-----END PUBLIC KEY-----/;

function isPublicKey(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

/** A repository's key, armored; binary ones become so (RFC 9580, 6). apk's are RSA keys in PEM. */
export function repositoryKey(bytes: Uint8Array): Checked<string> {
  const text = Buffer.from(bytes).toString('latin1');
  if (/-----BEGIN PGP PRIVATE KEY BLOCK-----/.test(text)) return { message: 'is a private key; a repository is checked with the public one' };
  const pem = RSA_KEY.exec(text)?.[0];
  if (pem !== undefined) return isPublicKey(pem) ? { value: `${pem.replaceAll('\r\n', '\n')}\n` } : { message: 'is a public key that is cut off or changed' };
  const armored = ARMOR.exec(text)?.[0];
  if (armored !== undefined) return { value: `${armored.replaceAll('\r\n', '\n')}\n` };
  // A public key packet, in the old form or the new.
  if ([0x98, 0x99, 0xc6].includes(bytes[0] ?? 0)) return { value: armor(bytes) };
  return { message: 'is neither a PGP public key nor an RSA public key in PEM' };
}

function armor(bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb);
  }
  const sum = Buffer.from([(crc >> 16) & 0xff, (crc >> 8) & 0xff, crc & 0xff]).toString('base64');
  return ['-----BEGIN PGP PUBLIC KEY BLOCK-----', '', ...lines, `=${sum}`, '-----END PGP PUBLIC KEY BLOCK-----', ''].join('\n');
}
