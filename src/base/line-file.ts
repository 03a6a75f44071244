import type { Host } from './host.ts';

const FLUSH_MILLISECONDS = 250;

/** A file that grows by lines, written in the background a few times a second. */
export interface LineFile {
  write(line: string): void;
  /** Writes what is left; never throws, since a log that cannot be written must not fail the work. */
  close(): Promise<void>;
}

/** Appends to a file; `before` comes first: making its folder, removing old ones. */
export function openLineFile(host: Pick<Host, 'files'>, path: string, before: () => Promise<void> = () => Promise.resolve()): LineFile {
  let waiting = '';
  let writing: Promise<void> = before().catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = '';
    if (text !== '') writing = writing.then(() => host.files.append(path, text)).catch(() => undefined);
    return writing;
  };
  return {
    write(line) {
      waiting += `${line}\n`;
      if (timer === undefined) {
        timer = setTimeout(() => void flush(), FLUSH_MILLISECONDS);
        timer.unref();
      }
    },
    close: flush,
  };
}
