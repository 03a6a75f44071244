import { IngotError } from '../../base/errors.ts';
import type { PlatformContext } from '../platform.ts';
import { shownCertificate } from '../certificate.ts';
import { parseFingerprint, type Trust } from '../trust.ts';
import { clientWith, realTransport, type MakeTransport } from './open.ts';
import { serverVersion } from './probe.ts';
import { parseServerUrl, parseTokenId, type ProxmoxTarget } from './target.ts';

export interface NewTarget {
  readonly name: string;
  readonly url: string;
  readonly tokenId: string;
  readonly fingerprint: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  readonly defaults: ProxmoxTarget['defaults'];
  /** Asked for last, once it is known whom it would be sent to. */
  readonly secret: () => Promise<string>;
}

/** Makes a target that works: the certificate is agreed to, and the token was accepted. Throws `target-refused` where the user does not agree. */
export async function newProxmoxTarget(
  context: PlatformContext,
  input: NewTarget,
  makeTransport: MakeTransport = realTransport,
): Promise<{ readonly target: ProxmoxTarget; readonly secret: string; readonly version: string }> {
  const url = parseServerUrl(input.url);
  const tokenId = parseTokenId(input.tokenId);
  const trust = await chooseTrust(context, url, input);
  const target: ProxmoxTarget = { platform: 'proxmox', name: input.name, url, tokenId, trust, defaults: input.defaults };
  const secret = (await input.secret()).trim();
  const client = clientWith(context, target, secret, makeTransport);
  try {
    const { version } = await serverVersion(client);
    return { target, secret, version };
  } finally {
    await client.close();
  }
}

async function chooseTrust(context: PlatformContext, url: string, { fingerprint, ca }: NewTarget): Promise<Trust> {
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
  const agreed = await context.consent('Is that the fingerprint that the web interface shows under the node, System, Certificates (pve-ssl.pem)?');
  if (!agreed) {
    throw new IngotError('verification', 'target-refused', 'The certificate was not agreed to, and nothing was sent', {
      hint: 'If it is another one, somebody may stand between: compare on the node with `openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256`.',
    });
  }
  return { kind: 'fingerprint', sha256: shown.fingerprint };
}
