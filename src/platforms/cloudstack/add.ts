import { chooseTrust } from '../choose-trust.ts';
import type { PlatformContext } from '../platform.ts';
import type { Trust } from '../trust.ts';
import { clientWith, realTransport, type MakeTransport } from './open.ts';
import { serverVersion } from './probe.ts';
import type { Keys } from './signing.ts';
import { joinKeys, parseApiUrl, type CloudStackTarget } from './target.ts';

const WORDS = {
  question: 'Is that the fingerprint of the management server, or of the proxy before it?',
  hint: 'If it is another one, somebody may stand between: compare on the server with `openssl x509 -in CERTIFICATE -noout -fingerprint -sha256`.',
};

export interface NewCloudStackTarget {
  readonly name: string;
  readonly url: string;
  readonly fingerprint: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  readonly defaults: CloudStackTarget['defaults'];
  /** Asked for last, once it is known whom they would sign for. */
  readonly keys: () => Promise<Keys>;
}

/** Makes a target that works: the certificate is agreed to, and the keys were accepted. Throws `target-refused` where the user does not agree. */
export async function newCloudStackTarget(
  context: PlatformContext,
  input: NewCloudStackTarget,
  makeTransport: MakeTransport = realTransport,
): Promise<{ readonly target: CloudStackTarget; readonly secret: string; readonly version: string }> {
  const url = parseApiUrl(input.url);
  const target: CloudStackTarget = { platform: 'cloudstack', name: input.name, url, trust: await trustOf(context, url, input), defaults: input.defaults };
  const keys = await input.keys();
  const client = clientWith(context, target, keys, makeTransport);
  try {
    const { version } = await serverVersion(client);
    return { target, secret: joinKeys(keys), version };
  } finally {
    await client.close();
  }
}

async function trustOf(context: PlatformContext, url: string, input: NewCloudStackTarget): Promise<Trust> {
  if (url.startsWith('https:')) return await chooseTrust(context, new URL(url).origin, input, WORDS);
  context.events.message(
    'warn',
    `${url} is not encrypted: the secret key is never sent, but passwords of instances in answers can be read on the way, and nothing proves which server answers`,
  );
  return { kind: 'system' };
}
