import { IngotError, toIngotError } from '../../base/errors.ts';
import { inPool } from '../../base/pool.ts';
import { Memo } from '../../base/memo.ts';
import { networkCause } from '../../base/retry.ts';
import { shownValue } from '../../base/settings.ts';
import type { CloudImage } from '../../catalog/cloud-image-schema.ts';
import type { LastSeen } from '../../catalog/last-seen.ts';
import type { Context } from '../../operations/operation.ts';
import { readPromise, type Promised } from './trust.ts';

/** Seconds in which a server has to answer. */
const ANSWER_SECONDS = 20;

export interface ImageToCheck {
  /** `release/architecture`. */
  readonly name: string;
  readonly image: CloudImage;
}

export interface CheckedImage {
  readonly name: string;
  /** `login`: nobody but the user can have it. `unverified`: it is there, and nothing vouches for it. */
  readonly status: 'good' | 'unverified' | 'bad' | 'unreachable' | 'login';
  /** What is good now; undefined where it is not. */
  readonly seen?: LastSeen;
  readonly error?: { readonly code: string; readonly message: string };
  /** What would be missed one day, though the image is good: mirrors and dated files that are gone. */
  readonly warnings: readonly string[];
}

type CheckContext = Pick<Context, 'host' | 'home' | 'signal'>;

interface CheckOptions {
  /** All keys of the catalog. */
  readonly keys: readonly string[];
  readonly jobs: number;
  readonly onDone: (done: number, total: number) => void;
}

/**
 * Asks the mirrors for every image: whether its address answers, and whether the checksum file names it and is signed by a pinned key. Images themselves are not
 * downloaded. A server that cannot be reached is asked once, and then believed to be away for all its images.
 */
export async function checkImages(context: CheckContext, images: readonly ImageToCheck[], options: CheckOptions): Promise<CheckedImage[]> {
  const probe = new Prober(context);
  const results: CheckedImage[] = [];
  let done = 0;
  await inPool(options.jobs, images, async (one, _signal, index) => {
    results[index] = await checkImage(context, one, options.keys, probe);
    context.signal.throwIfAborted();
    options.onDone((done += 1), images.length);
  });
  return results;
}

async function checkImage(context: CheckContext, { name, image }: ImageToCheck, keys: readonly string[], probe: Prober): Promise<CheckedImage> {
  if (image.login !== undefined) return { name, status: 'login', warnings: [] };
  try {
    await probe.reach(image.checksum?.url ?? image.url);
    const promised = await readPromise(context.host, image, {
      home: context.home,
      keys: keys.map((key) => Buffer.from(key)),
      offline: false,
      signal: context.signal,
    });
    const file = fileOf(image, image.url, promised);
    await probe.demand(file);
    if (image.signature?.kind === 'detached' && image.signature.of === 'image') await probe.demand(image.signature.url);
    const seen: LastSeen = {
      at: context.host.clock.now().toISOString(),
      file,
      digest: promised === undefined ? null : `${promised.digest.algorithm}:${promised.digest.hex}`,
      signer: promised?.fingerprint ?? null,
    };
    const warnings = await warningsOf(image, promised, probe);
    return { name, status: promised === undefined && image.signature === undefined ? 'unverified' : 'good', seen, warnings };
  } catch (error) {
    if (context.signal.aborted) throw error;
    const { code, message } = toIngotError(error);
    return { name, status: code === 'mirror-unreachable' ? 'unreachable' : 'bad', error: { code, message }, warnings: [] };
  }
}

function fileOf({ entry }: CloudImage, base: string, promised: Promised | undefined): string {
  return entry === undefined || promised === undefined ? base : new URL(promised.name, base).href;
}

async function warningsOf(image: CloudImage, promised: Promised | undefined, probe: Prober): Promise<string[]> {
  const missing = async (url: string, what: string): Promise<string[]> => {
    try {
      await probe.demand(url);
      return [];
    } catch (error) {
      if (error instanceof IngotError) return [`${what} ${error.message}`];
      throw error;
    }
  };
  const others = await Promise.all(image.mirrors.map((mirror) => missing(fileOf(image, mirror, promised), 'mirror:')));
  const dated = image.pinned === undefined ? [] : await missing(image.pinned.url, 'dated image:');
  return [...others.flat(), ...dated];
}

/** Asks servers for the heads of files. */
class Prober {
  readonly #context: CheckContext;
  readonly #origins = new Memo<string | undefined>();

  constructor(context: CheckContext) {
    this.#context = context;
  }

  /** Throws `mirror-unreachable` where the server of an address does not answer at all. */
  async reach(url: string): Promise<void> {
    const { origin, host } = new URL(url);
    const why = await this.#origins.get(origin, async () => {
      try {
        await this.#ask(`${origin}/`, 'HEAD');
        return undefined;
      } catch (error) {
        if (this.#context.signal.aborted) throw error;
        return networkCause(error);
      }
    });
    if (why !== undefined) throw new IngotError('upstream', 'mirror-unreachable', `${host} cannot be reached: ${why}`);
  }

  /** Throws `download-failed` where there is no such file, and `mirror-unreachable`. */
  async demand(url: string): Promise<void> {
    await this.reach(url);
    const answered = await this.#ask(url, 'HEAD').catch(failed(url));
    // Not every server answers HEAD.
    const status = [403, 405, 501].includes(answered) ? await this.#ask(url, 'GET').catch(failed(url)) : answered;
    if (status !== 200 && status !== 206) throw new IngotError('upstream', 'download-failed', `${shownValue(url)}: the server answered ${status}`);
  }

  async #ask(url: string, method: 'HEAD' | 'GET'): Promise<number> {
    const { host, signal } = this.#context;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_SECONDS * 1000)]);
    const response = await host.fetch(url, { method, signal: limit, redirect: 'follow', ...(method === 'GET' ? { headers: { Range: 'bytes=0-0' } } : {}) });
    await response.body?.cancel();
    return response.status;
  }
}

function failed(url: string): (error: unknown) => never {
  return (error) => {
    throw new IngotError('upstream', 'download-failed', `${shownValue(url)}: ${networkCause(error)}`, { cause: error });
  };
}
