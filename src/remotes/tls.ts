import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { Agent, buildConnector } from 'undici';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import type { Host } from '../base/host.ts';
import { expandPath, type Settings } from '../base/settings.ts';
import type { TlsTrust } from '../base/transfer/socket.ts';

/**
 * What the settings say of a server's certificate: those of `remote-ca` count besides the usual ones, and of a server of `remote-fingerprints` that very
 * certificate, whoever signed it. Throws `file-missing`.
 */
export async function trustFor(host: Host, settings: Settings, server: string): Promise<TlsTrust> {
  const ca = await certificates(host, settings['remote-ca']);
  const fingerprint = fingerprintOf(settings['remote-fingerprints'], server);
  return { ...(ca === undefined ? {} : { ca }), ...(fingerprint === undefined ? {} : { fingerprint }) };
}

/** The host's fetch, with that trust. */
export function fetchWith(host: Host, { ca, fingerprint }: TlsTrust): typeof globalThis.fetch {
  if (ca === undefined && fingerprint === undefined) return host.fetch;
  const connect = fingerprint === undefined ? { ...(ca === undefined ? {} : { ca: [...ca, ...rootCertificates] }) } : pinned(fingerprint);
  const dispatcher = new Agent({ connect });
  return (input, init) => host.fetch(input, Object.assign({ ...init }, { dispatcher }));
}

/** The SHA-256 that the settings say for a server, in hexadecimal. */
export function fingerprintOf(setting: string | undefined, server: string): string | undefined {
  const found = (setting ?? '').split(',').map((one) => one.split('='));
  return found
    .find(([name]) => name?.trim() === server)?.[1]
    ?.trim()
    .replace(/^sha256:/, '');
}

/** Connects where the server's certificate is the one; nothing is sent before that is known. */
function pinned(fingerprint: string): buildConnector.connector {
  const plain = buildConnector({ rejectUnauthorized: false, checkServerIdentity: () => undefined });
  return (options, callback) =>
    plain(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      if (!('getPeerCertificate' in socket)) return callback(null, socket);
      const seen = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex');
      if (seen === fingerprint) return callback(null, socket);
      socket.destroy();
      const wrong = new Error(`its certificate is sha256:${seen}, and should be sha256:${fingerprint}`);
      callback(Object.assign(wrong, { code: 'INGOT_FINGERPRINT' }), null);
    });
}

async function certificates(host: Host, setting: string | undefined): Promise<string[] | undefined> {
  if (setting === undefined) return undefined;
  const path = expandPath(setting, host.env);
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) throw new IngotError('not-found', 'file-missing', `There is no file ${path}, which the setting remote-ca names`);
  return [text];
}
