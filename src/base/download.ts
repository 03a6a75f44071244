import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from './errors.ts';
import { inPool } from './pool.ts';
import type { Host } from './host.ts';
import { networkCause, retry } from './retry.ts';
import type { HostPath } from './types.ts';

export interface DownloadItem {
  readonly url: string;
  /** Hexadecimal; what is stored is stored under it. */
  readonly sha256: string;
  readonly size: number;
}

export interface DownloadOptions {
  /** Content-addressed folder: a file is called by its SHA-256, and only whole, verified files are there. */
  readonly folder: HostPath;
  /** Refuse to use the network: throws `offline-missing` where something is not in the folder. */
  readonly offline: boolean;
  readonly signal: AbortSignal;
  /** Bytes fetched so far of all that had to be fetched. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly onRetry?: (url: string, attempt: number, cause: string) => void;
}

const PARALLEL = 8;
const ATTEMPTS = 4;
/** Seconds without a byte after which an attempt counts as failed. */
const STALL_SECONDS = 30;

/**
 * Fetches what the folder lacks, eight at a time, verifies each file against its SHA-256, and calls `onReady` for every
 * item, those that were there included, as soon as its file can be used. Network failures are tried again with growing
 * pauses; throws `download-failed`, `download-mismatch`, `offline-missing`.
 */
export async function downloadAll<T extends DownloadItem>(
  host: Host,
  items: readonly T[],
  options: DownloadOptions,
  onReady: (item: T, path: string) => Promise<void> | void = () => undefined,
): Promise<{ fetched: number }> {
  const present = new Set(await host.files.list(options.folder));
  const missing = items.filter((item) => !present.has(item.sha256));
  if (options.offline && missing.length > 0) {
    throw new IngotError('upstream', 'offline-missing', `${missing.length} files are not in the cache, and --offline forbids to fetch them`, {
      detail: missing
        .slice(0, 10)
        .map((item) => item.url)
        .join('\n'),
      hint: 'Run it once without --offline.',
    });
  }
  const total = missing.reduce((sum, item) => sum + item.size, 0);
  let done = 0;
  await inPool(
    PARALLEL,
    items,
    async (item, signal) => {
      const path = join(options.folder, item.sha256);
      if (!present.has(item.sha256)) {
        await downloadOne(host, item, path, signal, options, (bytes) => options.onProgress?.((done += bytes), total));
      }
      await onReady(item, path);
    },
    options.signal,
  );
  return { fetched: total };
}

async function downloadOne(
  host: Host,
  item: DownloadItem,
  path: string,
  signal: AbortSignal,
  options: DownloadOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const temporary = `${path}.part-${process.pid}`;
  const attempt = async (): Promise<void> => {
    let counted = 0;
    try {
      await fetchTo(host, item, temporary, signal, (bytes) => {
        counted += bytes;
        onBytes(bytes);
      });
      await host.files.rename(temporary, path);
    } catch (error) {
      onBytes(-counted);
      await host.files.remove(temporary);
      throw error;
    }
  };
  try {
    await retry(attempt, {
      clock: host.clock,
      signal,
      attempts: ATTEMPTS,
      transient: isTransient,
      onRetry: (error, number) => options.onRetry?.(item.url, number, networkCause(error)),
    });
  } catch (error) {
    if (options.signal.aborted) throw new IngotError('interrupted', 'interrupted', 'Stopped while downloading');
    if (signal.aborted || !isTransient(error)) throw error;
    const cause = networkCause(error);
    throw new IngotError('upstream', 'download-failed', `${item.url} could not be downloaded: ${cause}`, {
      cause: error,
      hint: 'Check the network, or name another mirror with --mirror.',
    });
  }
}

/** Whether another try can help: anything but an answer of the server that says no, wrong bytes, or a full disk. */
function isTransient(error: unknown): boolean {
  if (error instanceof IngotError) return error.class === 'upstream' && error.code === 'download-interrupted';
  return !(error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EACCES'));
}

async function fetchTo(host: Host, item: DownloadItem, path: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<void> {
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(), STALL_SECONDS * 1000);
  try {
    const response = await host.fetch(item.url, { signal: AbortSignal.any([signal, stalled.signal]), redirect: 'follow' });
    if (response.status >= 500 || response.status === 429) throw new IngotError('upstream', 'download-interrupted', `the server answered ${response.status}`);
    if (!response.ok || response.body === null) {
      throw new IngotError('upstream', 'download-failed', `${item.url}: the server answered ${response.status} ${response.statusText}`, {
        hint: 'The mirror may have changed since its metadata was read; run it again.',
      });
    }
    const hash = createHash('sha256');
    await using file = await open(path, 'w', 0o644);
    let size = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), STALL_SECONDS * 1000);
      size += chunk.length;
      hash.update(chunk);
      await file.write(chunk);
      onBytes(chunk.length);
    }
    if (size < item.size) throw new IngotError('upstream', 'download-interrupted', `the connection ended after ${size} of ${item.size} bytes`);
    const digest = hash.digest('hex');
    if (digest !== item.sha256) {
      throw new IngotError('verification', 'download-mismatch', `${item.url} is not what its metadata promises`, {
        detail: `expected sha256 ${item.sha256}\nreceived sha256 ${digest}`,
        hint: 'The mirror is damaged or in the middle of an update; use another one.',
      });
    }
  } catch (error) {
    if (stalled.signal.aborted) throw new IngotError('upstream', 'download-interrupted', `no byte came for ${STALL_SECONDS} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
