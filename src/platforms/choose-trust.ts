import { IngotError } from '../base/errors.ts';
import { shownCertificate } from './certificate.ts';
import type { PlatformContext } from './platform.ts';
import { parseFingerprint, type Trust } from './trust.ts';

export interface TrustWish {
  readonly fingerprint: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
}

/**
 * What vouches for a server from now on: what is given; else the system's CAs where they do; else the certificate that it shows, once the user agrees.
 * `question` says where to compare it, `hint` how. Throws `target-refused` where the user does not agree.
 */
export async function chooseTrust(
  context: PlatformContext,
  url: string,
  { fingerprint, ca }: TrustWish,
  words: { readonly question: string; readonly hint: string },
): Promise<Trust> {
  if (ca !== undefined) {
    if (fingerprint !== undefined) throw new IngotError('usage', 'trust-twice', 'A fingerprint and a CA are given', { hint: 'Give one of them.' });
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new IngotError('usage', 'ca-invalid', 'The file given with --ca holds no certificate in PEM');
    return { kind: 'ca', pem: ca };
  }
  if (fingerprint !== undefined) return { kind: 'fingerprint', sha256: parseFingerprint(fingerprint) };
  const shown = await shownCertificate(url, context.signal);
  if (shown.trusted) return { kind: 'system' };
  context.events.message(
    'info',
    `${url} shows a certificate for ${shown.subject}, signed by ${shown.issuer}, valid until ${shown.validTo}, with the SHA-256 fingerprint\n  ${shown.fingerprint}`,
  );
  if (await context.consent(words.question)) return { kind: 'fingerprint', sha256: shown.fingerprint };
  throw new IngotError('verification', 'target-refused', 'The certificate was not agreed to, and nothing was sent', { hint: words.hint });
}
