import type { Files } from '../../src/base/files.ts';
import type { Host } from '../../src/base/host.ts';

/**
 * How a host fails at its n-th effect:
 * - `kill`: the process is gone before the effect; nothing that follows happens either.
 * - `torn`: the process is gone in the middle: half of a write is on the disk, anything else is done, and nothing follows.
 * - `full`: the disk is full for this one effect: half of a write is on the disk, and the call says ENOSPC. What frees or renames works.
 */
export type Fault = 'kill' | 'torn' | 'full';

/** Thrown by every effect of a killed host. */
export class Killed extends Error {
  override readonly name = 'Killed';
  constructor() {
    super('this process was killed by the test');
  }
}

export interface FaultyHost {
  readonly host: Host;
  /** Every effect so far, in words: `rename /a /b`. */
  readonly log: readonly string[];
  /** Whether the fault has come. */
  hit(): boolean;
}

/** Which effects a full disk can break. */
const NEEDS_SPACE = new Set<keyof Files>(['write', 'append', 'writePart', 'sync', 'copy', 'makeDirectory']);

/**
 * A host whose files and processes work until effect number `at` (from 1; 0 never fails, to count). Effects are what changes
 * something; reading is none, but a killed host reads nothing.
 */
export function faultyHost(base: Host, at: number, fault: Fault): FaultyHost {
  const log: string[] = [];
  let dead = false;
  let struck = false;

  const effect = async <T>(name: keyof Files | 'run', words: readonly string[], work: () => Promise<T>, half?: () => Promise<void>): Promise<T> => {
    if (dead) throw new Killed();
    log.push([name, ...words].join(' '));
    if (log.length !== at) return await work();
    if (fault === 'full') {
      if (name === 'run' || !NEEDS_SPACE.has(name)) return await work();
      struck = true;
      await half?.();
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${name} '${words[0]}'`), { code: 'ENOSPC', errno: -28 });
    }
    struck = true;
    if (fault === 'torn') await (half ?? work)();
    dead = true;
    throw new Killed();
  };
  const look = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed();
    return await work();
  };

  const { files } = base;
  const wrapped: Files = {
    write: (path, data, options) =>
      effect(
        'write',
        [path],
        () => files.write(path, data, options),
        () => files.write(path, halfOf(data), options),
      ),
    append: (path, data) =>
      effect(
        'append',
        [path],
        () => files.append(path, data),
        () => files.append(path, halfOf(data)),
      ),
    writePart: (path, position, data) =>
      effect(
        'writePart',
        [path, String(position)],
        () => files.writePart(path, position, data),
        () => files.writePart(path, position, halfOf(data)),
      ),
    setMode: (path, mode) => effect('setMode', [path, mode.toString(8)], () => files.setMode(path, mode)),
    setModified: (path, time) => effect('setModified', [path], () => files.setModified(path, time)),
    rename: (from, to) => effect('rename', [from, to], () => files.rename(from, to)),
    link: (from, to) => effect('link', [from, to], () => files.link(from, to)),
    symlink: (target, path) => effect('symlink', [target, path], () => files.symlink(target, path)),
    copy: (from, to) =>
      effect(
        'copy',
        [from, to],
        () => files.copy(from, to),
        async () => files.write(to, halfOf(await files.read(from))),
      ),
    remove: (path) => effect('remove', [path], () => files.remove(path)),
    makeDirectory: (path, mode) => effect('makeDirectory', [path], () => files.makeDirectory(path, mode)),
    truncate: (path, size) => effect('truncate', [path], () => files.truncate(path, size)),
    sync: (path) => effect('sync', [path], () => files.sync(path)),
    read: (path) => look(() => files.read(path)),
    readPart: (path, position, length) => look(() => files.readPart(path, position, length)),
    sha256: (path, onProgress) => look(() => files.sha256(path, onProgress)),
    list: (path) => look(() => files.list(path)),
    status: (path) => look(() => files.status(path)),
    readLink: (path) => look(() => files.readLink(path)),
    resolveLinks: (path) => look(() => files.resolveLinks(path)),
    freeSpace: (path) => look(() => files.freeSpace(path)),
  };
  const host: Host = {
    ...base,
    files: wrapped,
    processes: {
      ...base.processes,
      run: (argv, options) => effect('run', argv, () => base.processes.run(argv, options)),
      spawn: (argv, options) => {
        if (dead) throw new Killed();
        log.push(['spawn', ...argv].join(' '));
        if (log.length === at && fault !== 'full') {
          struck = true;
          dead = true;
          throw new Killed();
        }
        return base.processes.spawn(argv, options);
      },
      signal: (pid, signal) => {
        if (dead) throw new Killed();
        log.push(`signal ${pid} ${signal}`);
        return base.processes.signal(pid, signal);
      },
    },
  };
  return { host, log, hit: () => struck };
}

function halfOf(data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}

/**
 * Runs `scenario` once for every effect that it has, with the fault at that effect, each time from a fresh `prepare`; then `check` looks at what is left.
 * The scenario's error is handed to `check`: undefined where it ended well in spite of the fault. Returns how many faults came.
 */
export async function atEveryEffect<S>(
  base: Host,
  fault: Fault,
  steps: {
    readonly prepare: () => Promise<S>;
    readonly scenario: (host: Host, state: S) => Promise<unknown>;
    readonly check: (state: S, about: { readonly at: number; readonly effect: string; readonly error: unknown }) => Promise<void>;
  },
): Promise<number> {
  for (let at = 1, faults = 0; ; at++) {
    const state = await steps.prepare();
    const faulty = faultyHost(base, at, fault);
    let error: unknown;
    try {
      await steps.scenario(faulty.host, state);
    } catch (thrown) {
      // A killed process cannot undo either: what failed first is what counts.
      error = thrown;
      while (error instanceof SuppressedError) error = error.suppressed;
    }
    if (faulty.log.length < at) return faults;
    if (!faulty.hit()) continue;
    faults += 1;
    await steps.check(state, { at, effect: faulty.log[at - 1] ?? '', error });
  }
}
