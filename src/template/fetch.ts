import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { replaceFile } from '../base/files.ts';
import type { Host } from '../base/host.ts';
import { networkCause, retry } from '../base/retry.ts';
import { formatSize } from '../base/types.ts';
import { shownValue } from '../base/settings.ts';
import type { Context } from '../operations/operation.ts';

/** Bytes that a key or certificate may have. */
export const MAX_TEXT = 2 ** 20;
const ATTEMPTS = 3;
const TIMEOUT_SECONDS = 30;
/**
 * What an address of a template says: a key, a certificate. It is remembered in the home, for `offline`, which asks nobody. With a checksum,
 * what is remembered and fits is used as it is. Throws `download-failed`, `download-mismatch`, `offline-missing`.
 */
export async function fetchText(
  context: Pick<Context, 'host' | 'home' | 'signal'>,
  { url, sha256 }: { readonly url: string; readonly sha256?: string | undefined },
  offline: boolean,
): Promise<Uint8Array> {
  const { host, home } = context;
  const path = join(home.texts, createHash('sha256').update(url).digest('hex'));
  const remembered = await readIfThere(host, path);
  const fits = remembered !== undefined && sha256 !== undefined && digestOf(remembered) === sha256;
  if (remembered !== undefined && (fits || (offline && sha256 === undefined))) return remembered;
  if (offline) {
    throw new IngotError('upstream', 'offline-missing', `${shownValue(url)} is not in the cache, and --offline forbids to fetch it`, {
      hint: 'Run it once without --offline.',
    });
  }
  const bytes = await download(context, url);
  if (sha256 !== undefined && digestOf(bytes) !== sha256) {
    throw new IngotError('verification', 'download-mismatch', `${shownValue(url)} is not what the template's checksum promises`, {
      detail: `expected sha256 ${sha256}\nreceived sha256 ${digestOf(bytes)}`,
    });
  }
  await host.files.makeDirectory(home.texts);
  await replaceFile(host.files, path, bytes);
  return bytes;
}

async function download({ host, signal }: Pick<Context, 'host' | 'signal'>, url: string): Promise<Uint8Array> {
  const ask = async (): Promise<Uint8Array> => {
    const response = await host.fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_SECONDS * 1000)]), redirect: 'follow' });
    if (response.ok) return await limited(response, url);
    const answer = `the server answered ${response.status}`;
    throw response.status >= 500 || response.status === 429 ? new Error(answer) : failed(url, answer);
  };
  try {
    return await retry(ask, { clock: host.clock, signal, attempts: ATTEMPTS, transient: (error) => !(error instanceof IngotError) });
  } catch (error) {
    throw error instanceof IngotError || signal.aborted ? error : failed(url, networkCause(error), error);
  }
}

async function limited(response: Response, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > MAX_TEXT) throw failed(url, `it is larger than ${formatSize(MAX_TEXT)}, which no key is`);
  }
  return Buffer.concat(parts);
}

function failed(url: string, why: string, cause?: unknown): IngotError {
  return new IngotError('upstream', 'download-failed', `${shownValue(url)} could not be downloaded: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'The template names it. With --offline, what was last seen is used.',
  });
}

async function readIfThere(host: Host, path: string): Promise<Uint8Array | undefined> {
  try {
    return await host.files.read(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
