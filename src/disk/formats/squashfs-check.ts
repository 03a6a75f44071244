import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { attach } from '../../base/attached.ts';
import { IngotError } from '../../base/errors.ts';
import type { Argv } from '../../base/process.ts';
import { tarPieces, type RootTar } from './root-tar.ts';
import { openSource } from './source.ts';
import type { WriteJob } from './writers.ts';

/*
 * A squashfs against the tar that it was made of: both are listed by their own programs, and names, kinds, modes, owners and sizes compared. Then all that the
 * squashfs holds is unpacked once, which fails where a block cannot be read.
 */

/** Throws `export-differs`. */
export async function checkSquashfs(job: WriteJob, tar: RootTar): Promise<void> {
  const { context, part, scratch, signal } = job;
  const inTar: Listed[] = [];
  {
    await using source = await openSource(context.host, tar.graph, scratch, signal);
    const list: Argv = ['tar', '--list', '--verbose', '--numeric-owner', '--quoting-style=literal', '--file=-'];
    await listing(
      job,
      list,
      (line) => {
        const entry = tarLine(line);
        if (entry !== undefined) inTar.push(entry);
      },
      Readable.from(tarPieces(source, tar.size, {})),
    );
  }
  const sizes = new Map(inTar.flatMap(({ name, size }) => (size === undefined ? [] : [[name, size] as const])));
  const expected = new Set(inTar.map((entry) => wordsOf(entry, sizes)));
  let found = 0;
  const unexpected: string[] = [];
  await listing(job, ['unsquashfs', '-no-progress', '-lln', part], (line) => {
    const entry = squashfsLine(line);
    if (entry === undefined) return;
    found++;
    const words = wordsOf(entry, sizes);
    if (!expected.has(words)) unexpected.push(words);
  });
  if (unexpected.length > 0 || found !== expected.size) {
    throw new IngotError('verification', 'export-differs', 'The squashfs does not list what the image holds', {
      detail: [`${expected.size} expected, ${found} found`, ...unexpected.slice(0, 10)].join('\n'),
    });
  }
  // Written to nowhere: it is read whole.
  await context.host.processes.run(['unsquashfs', '-no-progress', '-quiet', '-pf', '/dev/null', part], { signal, timeout: LIST_SECONDS });
}

const LIST_SECONDS = 3600;

/** An entry of a listing, in words that are the same for both; a hard link has the name of its target instead of a size. */
export interface Listed {
  readonly name: string;
  readonly about: string;
  readonly size?: string;
  readonly target?: string;
}

/** The words in which both listings have to agree; `sizes` are those of files by name. */
export function wordsOf({ name, about, size, target }: Listed, sizes: ReadonlyMap<string, string>): string {
  return [name, about, size ?? (target === undefined ? '' : (sizes.get(target) ?? 'unknown'))].join(' ').trimEnd();
}

/** A line of `tar -tv`. */
export function tarLine(line: string): Listed | undefined {
  const [, kind, mode, owner, size, path] = /^(.)(\S{9})\S?\s+(\d+\/\d+)\s+(\d+(?:,\d+)?)\s+\S+\s+\S+\s+(.*)$/.exec(line) ?? [];
  if (kind === undefined || path === undefined || mode === undefined || owner === undefined) return undefined;
  if (kind === 'h') {
    const [name = '', target = ''] = path.split(' link to ');
    return { name: nameOf(name), about: `- ${mode} ${owner}`, target: nameOf(target) };
  }
  return {
    name: nameOf(kind === 'l' ? path.replace(/ -> .*$/, '') : path),
    about: `${kind} ${mode} ${owner}`,
    ...(kind === '-' && size !== undefined ? { size } : {}),
  };
}

/** A line of `unsquashfs -lln`. */
export function squashfsLine(line: string): Listed | undefined {
  const [, kind, mode, owner, size, path] = /^([-dlcbps])(\S{9})\s+(\d+\/\d+)\s+(\d+(?:,\s*\d+)?)\s+\S+\s+\S+\s+squashfs-root(.*)$/.exec(line) ?? [];
  if (kind === undefined || path === undefined) return undefined;
  const name = nameOf(`.${kind === 'l' ? path.replace(/ -> .*$/, '') : path}`);
  return { name, about: `${kind} ${mode} ${owner}`, ...(kind === '-' && size !== undefined ? { size } : {}) };
}

function nameOf(path: string): string {
  return path.replace(/\/$/, '') || '.';
}

async function listing({ context, signal }: WriteJob, argv: Argv, onLine: (line: string) => void, input?: Readable): Promise<void> {
  await using running = attach(context.host, argv, { stdin: input === undefined ? 'ignore' : 'pipe', stdout: 'pipe', stderr: 'pipe' });
  if (running.stdout === null) throw new Error('there is no pipe');
  createInterface({ input: running.stdout }).on('line', onLine);
  if (input !== undefined && running.stdin !== null) await pipeline(input, running.stdin, { signal });
  const { exitCode } = await running.ended;
  if (exitCode !== 0) throw await running.failure();
}
