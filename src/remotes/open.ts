import { IngotError } from '../base/errors.ts';
import type { SecretsAccess } from '../base/secrets.ts';
import type { Context } from '../operations/operation.ts';
import { isLoopback, type RemoteAddress } from './address.ts';
import { credentialsFor } from './credentials.ts';
import type { HttpOptions } from './http.ts';
import { Registry } from './registry.ts';
import type { Remote } from './remote.ts';
import { S3 } from './s3.ts';
import type { AwsCredentials } from './signature-v4.ts';
import { fetchWith, trustFor } from './tls.ts';

/** What opening a remote needs of an operation's context. */
export type RemoteContext = SecretsAccess & Pick<Context, 'settings' | 'signal' | 'events'>;

/** Opens the place of an address; nothing is asked of it yet. Throws `plain-http-refused`, `credentials-missing`, `file-missing`. */
export async function openRemote(
  context: RemoteContext,
  address: RemoteAddress,
  { push, plainHttp }: { readonly push: boolean; readonly plainHttp: boolean },
): Promise<Remote> {
  const { host, settings, signal, events } = context;
  // Requests at the same time fail for the same reason.
  let told = '';
  const tell = (text: string): void => {
    if (text !== told) events.message('info', text);
    told = text;
  };
  const http = async (server: string): Promise<HttpOptions> => {
    const trust = await trustFor(host, settings, server);
    return {
      fetch: fetchWith(host, trust),
      connect: () => host.http(trust),
      clock: host.clock,
      signal,
      onWait: (why, seconds) => tell(`${address.kind === 'oci' ? address.server : address.bucket}: ${why}; trying again in ${Math.ceil(seconds)} s.`),
    };
  };
  if (address.kind === 'oci') {
    return new Registry(address, {
      http: await http(address.server),
      files: host.files,
      credentials: () => credentialsFor(context, address.server),
      plainHttp,
      push,
    });
  }
  const place = host.env['AWS_ENDPOINT_URL_S3'] ?? host.env['AWS_ENDPOINT_URL'];
  const endpoint = place === undefined || place === '' ? undefined : new URL(place);
  if (endpoint !== undefined && endpoint.protocol !== 'https:' && !isLoopback(endpoint.host)) {
    throw new IngotError('usage', 'plain-http-refused', `${endpoint.host} is another machine: without TLS, anybody on the way could change what is sent`);
  }
  return new S3(address, {
    http: await http(endpoint?.host ?? `${address.bucket}.s3`),
    files: host.files,
    credentials: await awsCredentials(context),
    region: host.env['AWS_REGION'] ?? host.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

/** From the environment, as AWS's own tools read it, else the secrets `s3-access-key-id` and `s3-secret-access-key`. Throws `credentials-missing`. */
async function awsCredentials(context: SecretsAccess): Promise<AwsCredentials> {
  const { env } = context.host;
  const [id, key, token] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']];
  if (id !== undefined && id !== '' && key !== undefined)
    return { accessKeyId: id, secretAccessKey: key, ...(token === undefined || token === '' ? {} : { sessionToken: token }) };
  const { openSecrets } = await import('../base/secrets.ts');
  const secrets = openSecrets(context);
  try {
    return { accessKeyId: (await secrets.value('s3-access-key-id')).trim(), secretAccessKey: (await secrets.value('s3-secret-access-key')).trim() };
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'secret-unknown') throw error;
    throw new IngotError('usage', 'credentials-missing', 'There is no key for the S3 server', {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or store them: ingot secret set s3-access-key-id, ingot secret set s3-secret-access-key.',
    });
  }
}
