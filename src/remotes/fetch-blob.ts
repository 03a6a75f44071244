import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import { hexOf, type Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { writeOrFull } from '../store/writing.ts';
import { Transient } from './http.ts';
import { remoteFailed, remoteInvalid, type Remote } from './remote.ts';

/** Bytes that are written at once. */
const PIECE = 4 * 2 ** 20;
/** How often in a row a connection may bring nothing new before the blob counts as failed. */
const ATTEMPTS = 5;
/** Seconds after which what nobody has come back for is removed. */
const OLDEST = 7 * 86_400;

export type FetchContext = Pick<Context, 'host' | 'home' | 'signal'>;

/**
 * Fetches a blob into a scratch folder, by way of `cache/pulls`, proven by its digest; what an earlier command left there is gone on with. Returns the file in
 * the scratch folder. What lies in `cache/pulls` stays until {@link forgetPulls}, so that a killed command loses nothing, and two can fetch the same. Throws `remote-mismatch` where the bytes are others, `remote-failed`, `remote-unknown`, `store-full`.
 */
export async function fetchBlob(
  context: FetchContext,
  remote: Pick<Remote, 'read'>,
  blob: { readonly digest: Digest; readonly size: number },
  { what, into, onProgress }: { readonly what: string; readonly into: string; readonly onProgress?: (done: number) => void },
): Promise<string> {
  const { host, home, signal } = context;
  const { files } = host;
  const whole = join(home.pulls, hexOf(blob.digest));
  const part = `${whole}.part`;
  await files.makeDirectory(home.pulls);
  await using _lock = await lockBlob(context, blob.digest);
  if ((await files.status(whole))?.size === blob.size && (await files.sha256(whole)).hex === hexOf(blob.digest)) return await takeOver(context, whole, into);
  await files.remove(whole);
  let at = await readPart(context, part, blob.size);
  let failures = 0;
  while (at.done < blob.size || blob.size === 0) {
    const before = at.done;
    try {
      at = await receive(context, remote, blob, part, at, onProgress ?? ((): void => undefined));
      if (at.done < blob.size) throw new Transient(`the connection ended after ${at.done} of ${blob.size} bytes`);
      break;
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      at = await readPart(context, part, blob.size);
      failures = at.done > before ? 0 : failures + 1;
      if (failures >= ATTEMPTS) throw remoteFailed(what, `reading ${blob.digest}: ${error.message}`, error);
      await host.clock.sleep(0.5 * 3 ** failures, signal);
    }
  }
  const hex = at.hash.digest('hex');
  if (hex !== hexOf(blob.digest)) {
    await files.remove(part);
    throw new IngotError('verification', 'remote-mismatch', `${what} gave other bytes than those of ${blob.digest}`, {
      detail: `received sha256:${hex}`,
      hint: 'Nothing of the image was taken into the store. The server is damaged, or somebody changed what it sends.',
    });
  }
  await writeOrFull(host, part, blob.size, () => files.sync(part));
  await files.setMode(part, 0o444);
  await files.rename(part, whole);
  return await takeOver(context, whole, into);
}

/** A name of its own for a file of `cache/pulls`, which others may take over too. */
async function takeOver({ host: { files } }: FetchContext, whole: string, into: string): Promise<string> {
  const own = join(into, basename(whole));
  await files.remove(own);
  try {
    await files.link(whole, own);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemErrorCode(error) ?? '')) throw error;
    await files.copy(whole, own);
  }
  return own;
}

/** One process at a time has to do with a blob of `cache/pulls`. */
async function lockBlob({ host, home, signal }: FetchContext, digest: Digest): Promise<AsyncDisposable> {
  await host.files.makeDirectory(home.locks);
  return await takeLock(host, home, `pull-${hexOf(digest).slice(0, 16)}`, { what: `pulling ${digest}`, signal });
}

/** Removes from `cache/pulls` what is in the store now. */
export async function forgetPulls(context: FetchContext, digests: Iterable<Digest>): Promise<void> {
  const { host, home } = context;
  for (const digest of digests) {
    await using _lock = await lockBlob(context, digest);
    await host.files.remove(join(home.pulls, hexOf(digest)));
  }
}

interface Received {
  readonly done: number;
  readonly hash: ReturnType<typeof createHash>;
}

/** What is there of a blob, hashed; more than there can be is thrown away. */
async function readPart({ host: { files }, signal }: FetchContext, part: string, size: number): Promise<Received> {
  const hash = createHash('sha256');
  const there = (await files.status(part))?.size ?? 0;
  if (there > size) await files.remove(part);
  if (there === 0 || there > size) return { done: 0, hash };
  for (let position = 0; position < there;) {
    signal.throwIfAborted();
    const piece = await files.readPart(part, position, Math.min(PIECE, there - position));
    hash.update(piece);
    position += piece.length;
  }
  return { done: there, hash };
}

async function receive(
  { host, signal }: FetchContext,
  remote: Pick<Remote, 'read'>,
  blob: { readonly digest: Digest; readonly size: number },
  part: string,
  at: Received,
  onProgress: (done: number) => void,
): Promise<Received> {
  const { from, body } = await remote.read(blob.digest, at.done, signal);
  const hash = from === at.done ? at.hash : createHash('sha256');
  if (from === 0) await writeOrFull(host, part, blob.size, () => host.files.write(part, '', { mode: 0o600 }));
  let received = from;
  let done = from;
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  // What came is written while more comes: one piece at a time, so that memory is bounded.
  let writing: Promise<void> = Promise.resolve();
  const write = async (piece: Uint8Array): Promise<void> => {
    await writeOrFull(host, part, blob.size, () => host.files.append(part, piece));
    hash.update(piece);
    done += piece.length;
    onProgress(done);
  };
  const flush = async (): Promise<void> => {
    const piece = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    await writing;
    writing = piece.length === 0 ? Promise.resolve() : write(piece);
    // It is awaited before the next one, or at the end.
    writing.catch(() => undefined);
  };
  try {
    for await (const piece of body) {
      waiting.push(piece);
      bytes += piece.length;
      received += piece.length;
      if (received > blob.size) throw remoteInvalid(`the server of ${blob.digest}`)(`it has more than the ${blob.size} bytes that were told`);
      if (bytes >= PIECE) await flush();
    }
  } finally {
    // What came is kept for the next attempt.
    await flush();
    await writing;
  }
  return { done, hash };
}

/** Removes what earlier commands left and nobody came back for. */
export async function sweepPulls({ host, home }: Pick<Context, 'host' | 'home'>): Promise<void> {
  const oldest = host.clock.now().getTime() - OLDEST * 1000;
  for (const name of await host.files.list(home.pulls)) {
    const path = join(home.pulls, name);
    const status = await host.files.status(path);
    if (status !== undefined && status.modified.getTime() < oldest) await host.files.remove(path);
  }
}
