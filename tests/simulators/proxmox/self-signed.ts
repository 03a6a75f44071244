import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';

/* A certificate that signs itself, as a fresh node has one: written in DER by hand, so that no key lies in the repository and none expires. */

const tag = (type: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([type, ...size]), content]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => tag(0x30, ...parts);
const oid = (...bytes: readonly number[]): Buffer => tag(0x06, Buffer.from(bytes));
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const ALTERNATIVE_NAMES = oid(0x55, 0x1d, 0x11);

export interface SelfSigned {
  readonly key: string;
  readonly certificate: string;
  /** SHA-256, in upper-case pairs with colons. */
  readonly fingerprint: string;
}

/** Makes a key and a certificate for 127.0.0.1. */
export function selfSigned(name: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(tag(0x31, sequence(COMMON_NAME, tag(0x0c, Buffer.from(name)))));
  const time = (text: string): Buffer => tag(0x18, Buffer.from(text));
  const names = sequence(tag(0x87, Buffer.from([127, 0, 0, 1])), tag(0x82, Buffer.from('localhost')));
  const body = sequence(
    tag(0xa0, tag(0x02, Buffer.from([2]))),
    tag(0x02, Buffer.from([1])),
    ECDSA_SHA256,
    subject,
    sequence(time('20200101000000Z'), time('99991231235959Z')),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tag(0xa3, sequence(sequence(ALTERNATIVE_NAMES, tag(0x04, names)))),
  );
  const der = sequence(body, ECDSA_SHA256, tag(0x03, Buffer.from([0]), sign('sha256', body, privateKey)));
  const certificate = new X509Certificate(der);
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate: certificate.toString(), fingerprint: certificate.fingerprint256 };
}
