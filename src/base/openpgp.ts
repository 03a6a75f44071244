import { createHash } from 'node:crypto';

/*
 * As much of OpenPGP as it takes to say which keys a file holds (RFC 9580 and RFC 4880: packet headers 4.2, key packets 5.5.2, fingerprints 5.5.4).
 * Signatures are verified by the package managers; this only looks at names.
 */

const PUBLIC_KEY = 6;

/**
 * The fingerprints of the primary keys in a file of public keys, binary or armored, as upper-case hexadecimal digits; subkeys belong to their primary key.
 * None where it holds no key that can be read.
 */
export function keyFingerprints(file: Uint8Array): string[] {
  return primaryKeys(binaryKeys(file));
}

/** The keys of a file, binary or armored, without armor, as gpgv wants its keyrings. */
export function binaryKeys(file: Uint8Array): Uint8Array {
  const text = Buffer.from(file).toString('latin1');
  const blocks = [...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g)];
  return blocks.length === 0 ? file : Buffer.concat(blocks.map(([, body = '']) => dearmor(body)));
}

/** The bytes of an armored block: headers end with an empty line, a line that begins with = is the checksum. */
function dearmor(body: string): Uint8Array {
  const lines = body.split(/\r?\n/).map((line) => line.trim());
  const start = lines.findIndex((line, i) => i > 0 && line === '');
  const data = lines.slice(start + 1).filter((line) => line !== '' && !line.startsWith('='));
  return Buffer.from(data.join(''), 'base64');
}

function primaryKeys(bytes: Uint8Array): string[] {
  const found: string[] = [];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < view.length;) {
    const packet = packetAt(view, at);
    if (packet === undefined) break;
    if (packet.tag === PUBLIC_KEY) found.push(...fingerprintOf(packet.body));
    at = packet.end;
  }
  return found;
}

interface Packet {
  readonly tag: number;
  readonly body: Buffer;
  readonly end: number;
}

/** The packet that begins there; undefined where none does, or it is cut off. Key packets have no partial lengths. */
function packetAt(view: Buffer, at: number): Packet | undefined {
  const first = view[at] ?? 0;
  if ((first & 0x80) === 0) return undefined;
  const header = (first & 0x40) === 0 ? oldHeader(view, at, first) : newHeader(view, at, first);
  if (header === undefined || header.start + header.length > view.length) return undefined;
  const end = header.start + header.length;
  return { tag: header.tag, body: view.subarray(header.start, end), end };
}

interface Header {
  readonly tag: number;
  readonly start: number;
  readonly length: number;
}

function oldHeader(view: Buffer, at: number, first: number): Header | undefined {
  const tag = (first >> 2) & 0x0f;
  const size = [1, 2, 4][first & 0x03];
  if (size === undefined || at + 1 + size > view.length) return undefined;
  return { tag, start: at + 1 + size, length: view.readUIntBE(at + 1, size) };
}

function newHeader(view: Buffer, at: number, first: number): Header | undefined {
  const tag = first & 0x3f;
  const one = view[at + 1];
  if (one === undefined) return undefined;
  if (one < 192) return { tag, start: at + 2, length: one };
  if (one < 224) return at + 3 > view.length ? undefined : { tag, start: at + 3, length: ((one - 192) << 8) + (view[at + 2] ?? 0) + 192 };
  if (one === 255) return at + 6 > view.length ? undefined : { tag, start: at + 6, length: view.readUInt32BE(at + 2) };
  return undefined;
}

function fingerprintOf(body: Buffer): string[] {
  const version = body[0];
  if (version === 4) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(body.length);
    return [
      createHash('sha1')
        .update(Buffer.from([0x99]))
        .update(length)
        .update(body)
        .digest('hex')
        .toUpperCase(),
    ];
  }
  if (version === 5 || version === 6) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return [
      createHash('sha256')
        .update(Buffer.from([version === 5 ? 0x9a : 0x9b]))
        .update(length)
        .update(body)
        .digest('hex')
        .toUpperCase(),
    ];
  }
  return [];
}
