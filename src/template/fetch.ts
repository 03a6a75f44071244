import { createHash } from 'node:crypto';
import { IngotError } from '../base/errors.ts';
import { shownValue } from '../base/settings.ts';
import { fetchSmallFile, offlineMissing, readRemembered } from '../base/transfer/small-file.ts';
import type { Context } from '../operations/operation.ts';

/** Bytes that a key or certificate may have. */
export const MAX_TEXT = 2 ** 20;

/**
 * What an address of a template says: a key, a certificate. It is remembered in the home, for `offline`, which asks nobody. With a checksum,
 * what is remembered and fits is used as it is. Throws `download-failed`, `download-mismatch`, `offline-missing`.
 */
export async function fetchText(
  { host, home, signal }: Pick<Context, 'host' | 'home' | 'signal'>,
  { url, sha256 }: { readonly url: string; readonly sha256?: string | undefined },
  offline: boolean,
): Promise<Uint8Array> {
  const remembered = sha256 === undefined ? undefined : await readRemembered(host, home.texts, url);
  if (remembered !== undefined && digestOf(remembered) === sha256) return remembered;
  if (offline && sha256 !== undefined) throw offlineMissing(url);
  const hint = 'The template names it. With --offline, what was last seen is used.';
  const { bytes } = await fetchSmallFile(host, url, { folder: home.texts, offline, limit: MAX_TEXT, signal, hint });
  if (sha256 !== undefined && digestOf(bytes) !== sha256) {
    throw new IngotError('verification', 'download-mismatch', `${shownValue(url)} is not what the template's checksum promises`, {
      detail: `expected sha256 ${sha256}\nreceived sha256 ${digestOf(bytes)}`,
    });
  }
  return bytes;
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
