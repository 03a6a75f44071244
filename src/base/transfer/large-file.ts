import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../errors.ts';
import { readTextIfThere, replaceFile } from '../files.ts';
import { hashValue } from '../hash.ts';
import type { Home } from '../home.ts';
import type { Host } from '../host.ts';
import { takeLock } from '../lock.ts';
import { shownValue } from '../settings.ts';
import { formatSize, hostPath, type HostPath } from '../types.ts';
import { PartFile, removePart } from './part-file.ts';
import { fetchRanges, TUNING, type Tuning } from './ranges.ts';
import { RunningHash, type HashAlgorithm } from './running-hash.ts';
import { offlineMissing } from './small-file.ts';

/** Bytes that must stay free beside a download. */
const SPARE = 64 * 2 ** 20;
/** Days after which a part that nobody goes on with is removed. */
const KEEP_PARTS = 7;

export interface ExpectedDigest {
  readonly algorithm: HashAlgorithm;
  /** Lower-case hexadecimal digits. */
  readonly hex: string;
}

export interface LargeFile {
  /** The same file, at addresses that are tried in this order. */
  readonly urls: readonly string[];
  /** Without it, `check` or the user's own word has to do. */
  readonly digest?: ExpectedDigest | undefined;
  readonly size?: number | undefined;
  /** Bytes that it may have at most. */
  readonly limit: number;
  /** Looks at the whole file before it may be used: its signature. Throws where it is not what it should be. */
  readonly check?: ((path: HostPath) => Promise<void>) | undefined;
}

export interface LargeFileOptions {
  readonly offline: boolean;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly tuning?: Partial<Tuning> | undefined;
  /** Bytes that are there; the total is unknown where the server does not say it. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  readonly onMessage?: ((level: 'info' | 'warn', text: string) => void) | undefined;
}

const recordSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  etag: z.string().optional(),
  modified: z.string().optional(),
});
type FileRecord = z.output<typeof recordSchema>;

export interface FetchedFile {
  /** In the home's cache, called by its SHA-256. */
  readonly path: HostPath;
  readonly sha256: string;
  readonly size: number;
  /** Where it came from; undefined where it was there. */
  readonly url?: string;
}

/**
 * Fetches a file of any size into the home's cache, or finds it there: resumed, over several connections, hashed as it comes, from the next address where one
 * fails or has other bytes. Two that want the same file fetch it once. Throws `download-failed`, `download-mismatch`, `download-too-large`, `redirect-insecure`,
 * `disk-full`, `offline-missing`, `interrupted` (what came is kept), and what `check` throws.
 */
export async function fetchLargeFile(host: Host, home: Home, file: LargeFile, options: LargeFileOptions): Promise<FetchedFile> {
  const there = await cached(host, home, file, options);
  if (there !== undefined) return there;
  const [main = ''] = file.urls;
  if (options.offline) throw offlineMissing(main);
  await host.files.makeDirectory(home.disks);
  const id = hashValue(file.digest ?? main).slice(0, 16);
  await using _lock = await takeLock(host, home, `download-${id}`, {
    what: `downloading ${shownValue(main)}`,
    signal: options.signal,
    onWait: (owner) =>
      options.onMessage?.('info', `Waiting for ${owner === undefined ? 'another process' : `process ${owner.pid}`}, which downloads the same file.`),
  });
  const meanwhile = await cached(host, home, file, options);
  if (meanwhile !== undefined) return meanwhile;
  await removeOldParts(host, home);
  const parts = new Map(file.urls.map((url) => [url, hostPath(join(home.disks, `${id}-${hashValue(url).slice(0, 16)}.part`))]));
  const fetched = await fromAny(host, home, file, parts, options);
  for (const path of parts.values()) await removePart(host, path);
  return fetched;
}

/** The file, where the cache has it. One without a digest is asked for at its address, which takes one round trip, and checked again. */
async function cached(host: Host, home: Home, { digest, urls: [url = ''], check }: LargeFile, options: LargeFileOptions): Promise<FetchedFile | undefined> {
  const name = digest === undefined ? addressRecord(url) : `${digest.algorithm}-${digest.hex}`;
  const record: FileRecord | undefined = digest?.algorithm === 'sha256' ? { sha256: digest.hex } : await readRecord(host, home, name);
  if (record === undefined) return undefined;
  const path = hostPath(join(home.disks, record.sha256));
  const status = await host.files.status(path);
  if (status === undefined) return undefined;
  // It is asked for where something is to be made of it, which is rare; whatever happened to it since it was verified, it is not trusted by its name.
  if ((await host.files.sha256(path)).hex !== record.sha256) {
    options.onMessage?.('warn', `What is kept of ${shownValue(url)} is damaged, and thrown away.`);
    await host.files.remove(path);
    return undefined;
  }
  if (digest === undefined) {
    if (!options.offline && !(await isUnchanged(host, url, record, options))) return undefined;
    await check?.(path);
  }
  return { path, sha256: record.sha256, size: status.size };
}

/** Whether the server says that the file is the one that was fetched. Who does not answer is asked again by the download, with what belongs to that. */
async function isUnchanged(host: Host, url: string, { etag, modified }: FileRecord, options: LargeFileOptions): Promise<boolean> {
  if (etag === undefined && modified === undefined) return false;
  using http = await host.http();
  const condition = etag === undefined ? { 'If-Modified-Since': modified ?? '' } : { 'If-None-Match': etag };
  try {
    const headers = { ...options.headers, ...condition };
    const { status } = await http.get(url, { headers, signal: options.signal, stallSeconds: tuningOf(options).stallSeconds });
    return status === 304;
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof IngotError) return false;
    throw error;
  }
}

function addressRecord(url: string): string {
  return `address-${hashValue(url)}`;
}

async function fromAny(host: Host, home: Home, file: LargeFile, parts: ReadonlyMap<string, HostPath>, options: LargeFileOptions): Promise<FetchedFile> {
  const failures: { readonly url: string; readonly error: IngotError }[] = [];
  for (const [url, path] of parts) {
    try {
      return await fromOne(host, home, file, { url, path }, options);
    } catch (error) {
      if (options.signal.aborted) {
        throw new IngotError('interrupted', 'interrupted', 'Stopped while downloading', { hint: 'What came is kept: the same command goes on from there.' });
      }
      if (!(error instanceof IngotError) || !['upstream', 'verification'].includes(error.class)) throw error;
      failures.push({ url, error });
      const next = file.urls[failures.length];
      if (next !== undefined) options.onMessage?.('warn', `${error.message}; trying ${shownValue(next)}.`);
    }
  }
  // Wrong bytes weigh more than a mirror that is away.
  const worst = failures.find(({ error }) => error.class === 'verification') ?? failures[0];
  if (worst === undefined) throw new IngotError('usage', 'url-invalid', 'There is no address to download from');
  if (failures.length === 1) throw worst.error;
  const { class: kind, code, hint, detail } = worst.error;
  const lines = [...(detail === undefined ? [] : [detail]), ...failures.map(({ error }) => error.message)];
  throw new IngotError(kind, code, `No mirror has it: ${worst.error.message}`, {
    cause: worst.error,
    detail: lines.join('\n'),
    ...(hint === undefined ? {} : { hint }),
  });
}

async function fromOne(
  host: Host,
  home: Home,
  file: LargeFile,
  { url, path }: { readonly url: string; readonly path: HostPath },
  options: LargeFileOptions,
): Promise<FetchedFile> {
  for (let again = false; ; again = true) {
    await using part = await PartFile.open(host, path, url, tuningOf(options).saveSeconds);
    const resumed = part.pieces.bytes > 0;
    if (resumed) options.onMessage?.('info', `Going on with ${formatSize(part.pieces.bytes)} that an earlier download left.`);
    try {
      return await fetchAndCheck(host, home, file, url, part, options);
    } catch (error) {
      if (!(error instanceof IngotError) || error.class !== 'verification') throw error;
      await part.remove();
      // What an earlier download left may be the reason, and not the mirror.
      if (!resumed || again) throw error;
      options.onMessage?.('warn', `${error.message}; what an earlier download left is thrown away.`);
    }
  }
}

async function fetchAndCheck(host: Host, home: Home, file: LargeFile, url: string, part: PartFile, options: LargeFileOptions): Promise<FetchedFile> {
  const path = hostPath(part.path);
  const algorithms = [...new Set<HashAlgorithm>(['sha256', file.digest?.algorithm ?? 'sha256'])];
  const start = (): readonly RunningHash[] => algorithms.map((algorithm) => new RunningHash({ path, algorithm }));
  const hashes = { running: part.about === undefined ? [] : start() };
  const stop = async (): Promise<void> => void (await Promise.all(hashes.running.map((hash) => hash[Symbol.asyncDispose]())));
  await using undo = new AsyncDisposableStack();
  undo.defer(stop);
  const { size, ...version } = await fetchRanges(host, url, part, {
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    signal: options.signal,
    tuning: tuningOf(options),
    limit: file.limit,
    onLength: async (length) => {
      if (file.size !== undefined && length !== file.size) throw mismatch(url, [`expected ${file.size} bytes`, `received ${length} bytes`]);
      await checkSpace(host, home, url, length);
    },
    onProgress: (done, total) => {
      for (const hash of hashes.running) hash.advance(part.pieces.prefix);
      options.onProgress?.(done, total);
    },
    onRetry: (cause, attempt) => options.onMessage?.('warn', `${shownValue(url)}: ${cause}; trying again (${attempt}).`),
    onRestart: async (because) => {
      if (because === 'changed') options.onMessage?.('warn', `${shownValue(url)} changed meanwhile; it is downloaded from the beginning.`);
      await stop();
      hashes.running = start();
    },
  });
  // Not synced: a cache, of which nothing is used that is not hashed again, and what is made of it is synced where it is made.
  const [sha256 = '', other] = await Promise.all(hashes.running.map((hash) => hash.finish(size)));
  const { digest } = file;
  const hex = digest?.algorithm === 'sha256' ? sha256 : other;
  if (digest !== undefined && hex !== digest.hex) throw mismatch(url, [`expected ${digest.algorithm} ${digest.hex}`, `received ${digest.algorithm} ${hex}`]);
  await file.check?.(path);
  const target = hostPath(join(home.disks, sha256));
  await host.files.rename(path, target);
  await removePart(host, path);
  await host.files.sync(dirname(target));
  if (digest === undefined) await writeRecord(host, home, addressRecord(file.urls[0] ?? url), { sha256, ...(url === file.urls[0] ? version : {}) });
  else if (digest.algorithm !== 'sha256') await writeRecord(host, home, `${digest.algorithm}-${digest.hex}`, { sha256 });
  return { path: target, sha256, size, url };
}

function tuningOf({ tuning }: LargeFileOptions): Tuning {
  return { ...TUNING, ...tuning };
}

async function checkSpace(host: Host, home: Home, url: string, length: number): Promise<void> {
  const free = await host.files.freeSpace(home.disks);
  if (free >= length + SPARE) return;
  throw new IngotError('space', 'disk-full', `${shownValue(url)} has ${formatSize(length)}, and ${formatSize(free)} are free in ${home.disks}`, {
    hint: 'Free some space, or set INGOT_HOME to a folder on a larger disk.',
  });
}

function mismatch(url: string, detail: readonly string[]): IngotError {
  return new IngotError('verification', 'download-mismatch', `${shownValue(url)} is not the file that its checksum promises`, {
    detail: detail.join('\n'),
    hint: 'The mirror is damaged or in the middle of an update; use another one.',
  });
}

async function readRecord(host: Host, home: Home, name: string): Promise<FileRecord | undefined> {
  const text = await readTextIfThere(host.files, join(home.disks, `${name}.json`));
  try {
    return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // A cache: what cannot be read is made again.
  }
}

async function writeRecord(host: Host, home: Home, name: string, record: FileRecord): Promise<void> {
  await replaceFile(host.files, join(home.disks, `${name}.json`), JSON.stringify(record));
}

/** Removes what nobody has gone on with for long. Those of running downloads are newer. */
async function removeOldParts(host: Host, home: Home): Promise<void> {
  const before = host.clock.now().getTime() - KEEP_PARTS * 86_400_000;
  for (const name of await host.files.list(home.disks)) {
    if (!basename(name).endsWith('.part')) continue;
    const status = await host.files.status(join(home.disks, name));
    if (status !== undefined && status.modified.getTime() < before) await removePart(host, join(home.disks, name));
  }
}
