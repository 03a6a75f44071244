import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { IngotError } from './errors.ts';
import { replaceFile } from './files.ts';
import type { Home } from './home.ts';
import { fileTime, type Host } from './host.ts';
import { takeLock } from './lock.ts';

/** How many old logs are kept. */
const KEPT_OLD_LOGS = 9;
const OLD = /^ingot-\d+-\d+\.log$/;
const COMPRESSED = /^ingot-\d+-\d+\.log\.zst$/;

/**
 * Makes the log an old one, `ingot-<time>.log`, where it is still larger than so many bytes; one process does it, others go on. A process that
 * had the file open when it was renamed may still append a line, so it is compressed (zstd) only when the next one takes its place.
 */
export async function rotateLog(host: Host, home: Home, maxSize: number): Promise<void> {
  const { files } = host;
  try {
    await using _lock = await takeLock(host, home, 'log', { what: 'making room in the log', whenTaken: 'fail' });
    if (((await files.status(home.log))?.size ?? 0) <= maxSize) return;
    const folder = dirname(home.log);
    for (const name of (await files.list(folder)).filter((each) => OLD.test(each))) {
      const path = join(folder, name);
      await replaceFile(files, `${path}.zst`, await promisify(zstdCompress)(await files.read(path)));
      await files.remove(path);
    }
    await files.rename(home.log, join(folder, `ingot-${fileTime(host.clock)}.log`));
    // Names start with the time: sorted is oldest first.
    const old = (await files.list(folder)).filter((each) => COMPRESSED.test(each));
    for (const name of old.slice(0, Math.max(0, old.length - KEPT_OLD_LOGS))) await files.remove(join(folder, name));
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'locked') throw error;
  }
}
