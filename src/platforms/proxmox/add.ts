import type { PlatformContext } from '../platform.ts';
import { chooseTrust } from '../choose-trust.ts';
import { clientWith, realTransport, type MakeTransport } from './open.ts';
import { serverVersion } from './probe.ts';
import { parseServerUrl, parseTokenId, type ProxmoxTarget } from './target.ts';

const WORDS = {
  question: 'Is that the fingerprint that the web interface shows under the node, System, Certificates (pve-ssl.pem)?',
  hint: 'If it is another one, somebody may stand between: compare on the node with `openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256`.',
};

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
  const trust = await chooseTrust(context, url, input, WORDS);
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
