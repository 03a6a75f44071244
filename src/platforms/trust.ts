import * as z from 'zod';
import { IngotError } from '../base/errors.ts';

const FINGERPRINT = /^[0-9A-F]{2}(?::[0-9A-F]{2}){31}$/;

/**
 * What vouches for the server: the one certificate whose SHA-256 fingerprint was agreed to, certificates that a CA of the user's signed, or those
 * that the system trusts.
 */
export const trustSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fingerprint'), sha256: z.string().regex(FINGERPRINT) }),
  z.strictObject({ kind: z.literal('ca'), pem: z.string().min(1) }),
  z.strictObject({ kind: z.literal('system') }),
]);
export type Trust = z.output<typeof trustSchema>;

/** A SHA-256 fingerprint as it is kept: upper-case pairs with colons, however it was written. Throws `fingerprint-invalid`. */
export function parseFingerprint(text: string): string {
  const digits = text
    .replace(/^sha256[:\s]/i, '')
    .replaceAll(/[:\s]/g, '')
    .toUpperCase();
  const written = (digits.match(/../g) ?? []).join(':');
  if (FINGERPRINT.test(written)) return written;
  throw new IngotError('usage', 'fingerprint-invalid', `"${text}" is not a SHA-256 fingerprint`, {
    hint: 'It is 32 pairs of hexadecimal digits: `openssl x509 -noout -fingerprint -sha256` prints it; Proxmox VE shows it under the node, System, Certificates.',
  });
}
