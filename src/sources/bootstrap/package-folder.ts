import { join } from 'node:path';
import { downloadAll } from '../../base/download.ts';
import { isOutOfSpace, systemErrorCode } from '../../base/errors.ts';
import type { Files } from '../../base/files.ts';
import type { Span } from '../../base/events.ts';
import { formatSize, hostPath, type HostPath } from '../../base/types.ts';
import type { Context } from '../../operations/operation.ts';
import { expandDeb } from './deb.ts';
import type { Archives } from './mirrors.ts';
import type { ResolvedPackage } from './recipe.ts';

/** Where packages are, seen from inside the root: below an empty folder of every Debian system. */
export const DEBS = '/tmp/debs';

/** Bytes of a package from which on its quick form is worth a file: a few packages make up most of what there is to decompress. */
const QUICK_FROM = 2 ** 20;

export interface PackageFolderOptions {
  readonly mirrors: Archives;
  readonly offline: boolean;
  /** A scratch folder of this build. */
  readonly scratch: HostPath;
  readonly span: Span;
  /** dpkg reads packages that are compressed by zstd: their quick form can be given to it as it is. */
  readonly readsZstd?: boolean;
}

/** The packages of a recipe, downloaded and expanded into one folder as dpkg wants them. */
export class PackageFolder {
  readonly folder: HostPath;
  readonly #context: Context;
  readonly #packages: readonly ResolvedPackage[];
  readonly #options: PackageFolderOptions;
  /** Quick forms that dpkg reads itself, unchecked. */
  readonly #linked: string[] = [];
  readonly #essentialReady = Promise.withResolvers<void>();

  constructor(context: Context, packages: readonly ResolvedPackage[], options: PackageFolderOptions) {
    this.#context = context;
    this.#packages = packages;
    this.#options = options;
    this.folder = hostPath(join(options.scratch, 'debs'));
    this.#essentialReady.promise.catch(() => undefined);
  }

  /** Resolves with the essential packages once they are all there, long before the rest is. */
  async essential(): Promise<ResolvedPackage[]> {
    await this.#essentialReady.promise;
    return this.#packages.filter((item) => item.essential);
  }

  /** Fetches and expands everything; when it has ended, however, nothing writes into the folder any more. */
  async fill(signal: AbortSignal): Promise<void> {
    const { host, home, events } = this.#context;
    const { mirrors, offline, span } = this.#options;
    const stageSpan = span.child('stage', 'packages');
    const expansions: Promise<void>[] = [];
    try {
      await host.files.makeDirectory(this.folder);
      const items = this.#packages
        .map((item) => ({ ...item, url: `${mirrors[item.archive]}/${item.path}` }))
        .toSorted((a, b) => Number(b.essential) - Number(a.essential) || b.size - a.size);
      let awaited = items.filter((item) => item.essential).length;
      const expanding = new Limiter(host.machine.cpus);
      const { fetched } = await downloadAll(
        host,
        items,
        {
          folder: home.packages,
          offline,
          signal,
          onProgress: (done, total) => stageSpan.progress(done, total, 'bytes'),
          onRetry: (url, attempt, cause) => events.message('warn', `Attempt ${attempt} to fetch ${url} failed (${cause}); trying again.`),
        },
        (item, path) => {
          const expansion = expanding.run(async () => {
            await this.#expand(item, path);
            if (item.essential && (awaited -= 1) === 0) this.#essentialReady.resolve();
          });
          expansion.catch(() => undefined); // awaited below, all at once
          expansions.push(expansion);
        },
      );
      await Promise.all(expansions);
      stageSpan.end('done', fetched === 0 ? `${items.length} from the cache` : `${items.length}, ${formatSize(fetched)} downloaded`);
    } catch (error) {
      stageSpan.end('failed');
      this.#essentialReady.reject(error);
      await Promise.allSettled(expansions);
      throw error;
    }
  }

  /** After dpkg failed: a quick form that it read may be damaged, and can be made again. */
  async forgetQuick(): Promise<void> {
    for (const path of this.#linked) await this.#context.host.files.remove(path);
  }

  /** From the quick form of an earlier time where there is one; else from the package itself, and a large one is kept in its quick form. */
  async #expand(item: ResolvedPackage, path: string): Promise<void> {
    const { files, processes } = this.#context.host;
    const target = join(this.folder, fileName(item));
    if (item.size < QUICK_FROM) return await expandDeb(processes, path, target);
    const quick = `${path}.quick`;
    if ((await files.status(quick)) !== undefined) {
      if (this.#options.readsZstd === true) {
        await linkOrCopy(files, quick, target);
        this.#linked.push(quick);
        return;
      }
      try {
        return await expandDeb(processes, quick, target);
      } catch (error) {
        if (isOutOfSpace(error)) throw error;
        await files.remove(quick); // it is damaged, and can be made again
      }
    }
    const fresh = join(this.#options.scratch, `quick-${item.sha256}`);
    await expandDeb(processes, path, target, fresh);
    await files.rename(fresh, quick);
  }
}

/** The scratch folder and the cache are in one home, but that may span file systems. */
async function linkOrCopy(files: Files, from: string, to: string): Promise<void> {
  try {
    await files.link(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemErrorCode(error) ?? '')) throw error;
    await files.copy(from, to);
  }
}

/** Runs at most so many pieces of work at once. */
class Limiter {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** A package's file name, as dpkg likes it. */
export function fileName(item: ResolvedPackage): string {
  return `${item.name}_${item.version.replaceAll(':', '%3a')}_${item.arch}.deb`;
}

/** Where a package is, seen from inside the root. */
export function insidePath(item: ResolvedPackage): string {
  return `${DEBS}/${fileName(item)}`;
}
