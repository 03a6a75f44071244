import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';
import { consoleText } from './console-text.ts';

const POLL_SECONDS = 0.2;
/** An escape sequence can be cut by the end of a part: so much after its start is held back until more comes. */
const LONGEST_ESCAPE = 40;
const PIECE = 2 ** 20;

export interface FollowOptions {
  /** How many of the last lines to begin with; all of them where undefined. */
  readonly lines: number | undefined;
  /** Go on while this says yes; undefined ends with what is there. */
  readonly goOn?: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Writes a console log as clean text, and what is added to it while `goOn`. A log that is begun anew by a restart is followed there. */
export async function followLog(host: Host, log: HostPath, options: FollowOptions, write: (text: string) => void): Promise<void> {
  const first = await host.files.status(log);
  let position = first === undefined ? 0 : await startOf(host, log, first.size, options.lines);
  let inode = first?.inode;
  const cleaner = new Cleaner(write);
  for (;;) {
    // Asked before reading, so that the last words are not missed.
    const running = options.goOn !== undefined && (await options.goOn());
    const status = await host.files.status(log);
    if (status !== undefined && (status.inode !== inode || status.size < position)) {
      inode = status.inode;
      position = 0;
    }
    const size = status?.size ?? 0;
    while (position < size) {
      const bytes = await host.files.readPart(log, position, Math.min(PIECE, size - position));
      if (bytes.length === 0) break;
      position += bytes.length;
      cleaner.add(bytes);
    }
    cleaner.flush();
    if (!running) return;
    await host.clock.sleep(POLL_SECONDS, options.signal);
  }
}

/** Writes parts of a console log as clean text, although a part can end in the middle of a character, a line end or an escape sequence. */
class Cleaner {
  #held = '';
  readonly #decoder = new TextDecoder();
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  add(bytes: Uint8Array): void {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true });
    const escape = text.lastIndexOf('\u001B');
    const cut = escape !== -1 && text.length - escape < LONGEST_ESCAPE ? escape : text.endsWith('\r') ? text.length - 1 : text.length;
    this.#held = text.slice(cut);
    this.#write(consoleText(text.slice(0, cut)));
  }

  flush(): void {
    this.#write(consoleText(this.#held));
    this.#held = '';
  }
}

/** The position at which the last lines begin. */
async function startOf(host: Host, log: HostPath, size: number, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  if (lines === 0) return size;
  let found = 0;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - PIECE);
    const bytes = await host.files.readPart(log, start, end - start);
    for (let at = bytes.length - 1; at >= 0; at--) {
      // The line end of the last line begins none.
      if (bytes[at] !== 0x0a || start + at === size - 1) continue;
      found += 1;
      if (found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}
