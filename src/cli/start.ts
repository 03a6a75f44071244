import { enableCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Where compiled code is kept between starts: a cache of the system for root (sudo must not write into a user's home). */
function cacheFolder(): string | undefined {
  if (process.getuid?.() === 0) return '/var/cache/ingot';
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  if (cache !== undefined && cache.startsWith('/')) return join(cache, 'ingot');
  return home === undefined ? undefined : join(home, '.cache', 'ingot');
}

const folder = cacheFolder();
if (folder !== undefined) enableCompileCache(folder);
// What Node does beside the program (compression, files) has four threads: too few for the processors of a large host. Read when the first of them starts.
if (availableParallelism() > 4) process.env['UV_THREADPOOL_SIZE'] ??= String(availableParallelism());
const { main } = await import('./main.ts');
await main(process.argv.slice(2));
