import type { Files } from '../../base/files.ts';

/** Written at once: large enough that opening the file each time costs nothing beside it. */
const PIECE = 4 * 2 ** 20;

/** Writes a file from its end on, in large pieces. What was added counts once {@link flush} has returned. */
export class Appender {
  /** Bytes of the file, with those that are not yet written. */
  position: number;
  readonly #files: Pick<Files, 'append'>;
  readonly #path: string;
  readonly #onWrite: ((bytes: Uint8Array) => void) | undefined;
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  /** `position` is where the file ends now; `onWrite` gets all bytes, in order. */
  constructor(files: Pick<Files, 'append'>, path: string, options: { readonly position?: number; readonly onWrite?: (bytes: Uint8Array) => void } = {}) {
    this.#files = files;
    this.#path = path;
    this.position = options.position ?? 0;
    this.#onWrite = options.onWrite;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.position += bytes.length;
    if (this.#bytes >= PIECE) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    this.#onWrite?.(bytes);
    await this.#files.append(this.#path, bytes);
  }
}
