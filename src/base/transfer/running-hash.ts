import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

export type HashAlgorithm = 'sha256' | 'sha512';

export interface HashWork {
  readonly path: string;
  readonly algorithm: HashAlgorithm;
}

export interface HashOrder {
  /** Bytes from the beginning on that are there. */
  readonly upTo: number;
  /** They are all. */
  readonly end: boolean;
}

export interface HashAnswer {
  readonly hex: string;
}

declare const INGOT_HASH_PROGRAM: string | undefined;

/** Bytes that must have come before the thread is told again. */
const STEP = 2 ** 22;

/**
 * The hash of a file, worked out beside its writing by a thread that reads what is there: it comes from the system's cache, so that reading costs little, and
 * neither the order in which the bytes come nor a break matter.
 */
export class RunningHash implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #answer: Promise<string>;
  #told = 0;

  constructor(work: HashWork) {
    const program = typeof INGOT_HASH_PROGRAM === 'undefined' ? './hash-program.ts' : INGOT_HASH_PROGRAM;
    this.#worker = new Worker(fileURLToPath(new URL(program, import.meta.url)), { workerData: work });
    this.#worker.unref();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#worker.once('message', ({ hex }: HashAnswer) => resolve(hex));
    this.#worker.once('error', reject);
    this.#worker.once('exit', () => reject(new Error(`the hash of ${work.path} was given up`)));
    promise.catch(() => undefined);
    this.#answer = promise;
  }

  /** So many bytes from the beginning on are there. */
  advance(upTo: number): void {
    if (upTo - this.#told < STEP) return;
    this.#told = upTo;
    this.#tell({ upTo, end: false });
  }

  /** Hexadecimal digits of the whole file, which has that size. */
  async finish(size: number): Promise<string> {
    this.#worker.ref();
    this.#tell({ upTo: size, end: true });
    return await this.#answer;
  }

  #tell(order: HashOrder): void {
    this.#worker.postMessage(order);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
