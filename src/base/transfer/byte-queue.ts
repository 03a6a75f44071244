import { IngotError } from '../errors.ts';

/** Bytes that one read of a socket takes at most. */
export const SOCKET_BUFFER = 2 ** 18;
/** Bytes that wait for whoever reads, until the socket is paused. */
const MOST_WAITING = 2 ** 20;
/** Bytes in which the end of a head must be found. */
const MOST_HEAD = 2 ** 16;

interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/** What a socket gave and nobody has taken yet. While its reader works, pieces grow, so that a busy disk is written to in large ones. */
export class ByteQueue {
  #filling = Buffer.allocUnsafe(MOST_WAITING + SOCKET_BUFFER);
  #other = Buffer.allocUnsafe(MOST_WAITING + SOCKET_BUFFER);
  #filled = 0;
  /** Taken, but given back. */
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: unknown;
  #failed = false;
  #wake: (() => void) | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  #socket: Pausable | undefined;
  isPaused = false;

  attach(socket: Pausable): void {
    this.#socket = socket;
  }

  onFailure(act: (error: unknown) => void): void {
    this.#onFailure = act;
  }

  /** For the socket's `onread`: takes a copy; false asks it to pause. TLS gives what it has unpacked all the same, hence the growing. */
  add(bytes: Uint8Array): boolean {
    if (this.#filled + bytes.length > this.#filling.length) {
      const larger = Buffer.allocUnsafe(this.#filling.length * 2 + bytes.length);
      this.#filling.copy(larger, 0, 0, this.#filled);
      this.#filling = larger;
    }
    this.#filling.set(bytes, this.#filled);
    this.#filled += bytes.length;
    this.isPaused = this.#filled >= MOST_WAITING;
    this.#wakeUp();
    return !this.isPaused;
  }

  end(): void {
    this.#ended = true;
    if (this.#filled === 0) this.#onFailure?.(new IngotError('upstream', 'download-interrupted', 'the server closed the connection'));
    this.#wakeUp();
  }

  fail(error: unknown): void {
    if (this.#failed) return;
    [this.#failed, this.#error] = [true, error];
    this.#onFailure?.(error);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** The next bytes, valid until the next call; undefined at the end. Throws what the connection failed with. */
  async next(): Promise<Buffer | undefined> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = Buffer.alloc(0);
      return rest;
    }
    while (this.#filled === 0) {
      if (this.#failed) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failed) throw this.#error;
    const bytes = this.#filling.subarray(0, this.#filled);
    [this.#filling, this.#other] = [this.#other, this.#filling];
    this.#filled = 0;
    if (this.isPaused) {
      this.isPaused = false;
      this.#socket?.resume();
    }
    return bytes;
  }

  /** Gives back the end of what `next` returned. */
  unread(bytes: Buffer): void {
    this.#rest = bytes;
  }

  /** The text up to an end mark, without it. Throws `download-interrupted` where the connection ends before, `download-failed` where it is too long. */
  async until(mark: string, onFirst: () => void = () => undefined): Promise<string> {
    let text = '';
    for (;;) {
      const bytes = await this.next();
      if (bytes === undefined) throw new IngotError('upstream', 'download-interrupted', 'the server closed the connection without an answer');
      onFirst();
      const before = text.length;
      text += bytes.toString('latin1');
      const at = text.indexOf(mark);
      if (at >= 0) {
        this.unread(bytes.subarray(at + mark.length - before));
        return text.slice(0, at);
      }
      if (text.length > MOST_HEAD) throw new IngotError('upstream', 'download-failed', 'the head of the answer has no end');
    }
  }
}
