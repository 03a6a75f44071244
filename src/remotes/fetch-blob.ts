import { basename, join } from 'node:path';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import { RunningHash } from '../base/transfer/running-hash.ts';
import { hexOf, type Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { writeOrFull } from '../store/writing.ts';
import { Transient } from './http.ts';
import { remoteFailed, remoteInvalid, type IncomingBlob, type Remote } from './remote.ts';

/** Bytes that are written at once. */
const PIECE = 4 * 2 ** 20;
/** Bytes from which on a blob is hashed by a thread of its own, which takes some milliseconds to start. */
const LARGE = 16 * 2 ** 20;
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
  blob: IncomingBlob,
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
  let done = await sizeOfPart(context, part, blob.size);
  // All of it is there where a command was killed before it could look at it.
  let hex = done === blob.size && blob.size > 0 ? (await files.sha256(part)).hex : undefined;
  for (let failures = 0; hex === undefined;) {
    try {
      hex = await receive(context, remote, blob, part, done, onProgress ?? ((): void => undefined));
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      const before = done;
      done = await sizeOfPart(context, part, blob.size);
      failures = done > before ? 0 : failures + 1;
      if (failures >= ATTEMPTS) throw remoteFailed(what, `reading ${blob.digest}: ${error.message}`, error);
      await host.clock.sleep(0.5 * 3 ** failures, signal);
    }
  }
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

/** Bytes that are there of a blob; more than there can be is thrown away. */
async function sizeOfPart({ host: { files } }: FetchContext, part: string, size: number): Promise<number> {
  const there = (await files.status(part))?.size ?? 0;
  if (there <= size) return there;
  await files.remove(part);
  return 0;
}

/**
 * Receives what lacks of a blob, from one answer, and returns the SHA-256 of all of it. What came is written in large pieces while more comes, and hashed beside
 * that. Throws {@link Transient} where the answer ends early; what came is there then.
 */
async function receive(
  { host, signal }: FetchContext,
  remote: Pick<Remote, 'read'>,
  blob: IncomingBlob,
  part: string,
  there: number,
  onProgress: (done: number) => void,
): Promise<string> {
  const { from, body } = await remote.read(blob, there, signal);
  if (from === 0) await writeOrFull(host, part, blob.size, () => host.files.write(part, '', { mode: 0o600 }));
  await using hash = blob.size < LARGE ? undefined : new RunningHash({ path: part, algorithm: 'sha256' });
  const write = async (piece: Uint8Array, end: number): Promise<void> => {
    await writeOrFull(host, part, blob.size, () => host.files.append(part, piece));
    hash?.advance(end);
    onProgress(end);
  };
  const size = Math.min(PIECE, Math.max(0, blob.size - from));
  let [filling, other] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  let [filled, received] = [0, from];
  // One piece at a time, so that memory is bounded.
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    writing = filled === 0 ? Promise.resolve() : write(filling.subarray(0, filled), received);
    // It is awaited before the next one, or at the end.
    writing.catch(() => undefined);
    [filling, other, filled] = [other, filling, 0];
  };
  try {
    for await (const piece of body) {
      if (received + piece.length > blob.size) throw remoteInvalid(`the server of ${blob.digest}`)(`it has more than the ${blob.size} bytes that were told`);
      for (let taken = 0; taken < piece.length;) {
        const some = piece.subarray(taken, taken + size - filled);
        filling.set(some, filled);
        [filled, taken, received] = [filled + some.length, taken + some.length, received + some.length];
        if (filled === size) await flush();
      }
    }
  } finally {
    // What came is kept for the next attempt.
    await flush();
    await writing;
  }
  if (received < blob.size) throw new Transient(`the connection ended after ${received} of ${blob.size} bytes`);
  return hash === undefined ? (await host.files.sha256(part)).hex : await hash.finish(blob.size);
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
