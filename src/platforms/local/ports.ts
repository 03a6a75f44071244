import { createServer } from 'node:net';
import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { takeLock } from '../../base/lock.ts';

/** Below the range that Linux and macOS give to outgoing connections, so that none of those takes a VM's port while it is stopped. */
const FIRST = 22_200;
const LAST = 29_999;
/** Ports that somebody else may take in the moment between finding one free and using it. */
const TRIES = 5;

export interface PortRequest {
  /** Ports of VMs, running or not. */
  readonly recorded: () => Promise<ReadonlySet<number>>;
  /** The one to use if it is free. */
  readonly preferred?: number;
  /** Only the preferred one will do: throws `port-taken` where it is not free. */
  readonly fixed?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Finds a free port on 127.0.0.1 and calls `use` with it while no other ingot of this home can choose one: until `use` has bound or recorded it. Where
 * `use` throws `port-taken`, since somebody else was faster, the next one is tried.
 * Throws `port-taken`, `ports-exhausted`.
 */
export async function withFreePort<T>(host: Host, home: Home, request: PortRequest, use: (port: number) => Promise<T>): Promise<T> {
  return await inTurn(home.root, () => choosePort(host, home, request, use));
}

/** The last that is in the queue of a home. */
const queues = new Map<string, Promise<unknown>>();

/** One after the other within this process: who waits for a lock looks again ten times a second, which would be most of the time of making twenty VMs. */
function inTurn<T>(root: string, work: () => Promise<T>): Promise<T> {
  const turn = (queues.get(root) ?? Promise.resolve()).then(work);
  queues.set(
    root,
    turn.catch(() => undefined),
  );
  return turn;
}

async function choosePort<T>(host: Host, home: Home, request: PortRequest, use: (port: number) => Promise<T>): Promise<T> {
  const { preferred, signal } = request;
  signal?.throwIfAborted();
  await using _lock = await takeLock(host, home, 'ports', { what: 'choosing a port', ...(signal === undefined ? {} : { signal }) });
  const recorded = await request.recorded();
  if (preferred !== undefined) {
    if (!recorded.has(preferred) && (await isFree(preferred))) return await use(preferred);
    if (request.fixed === true) {
      throw new IngotError('conflict', 'port-taken', `Port ${preferred} of 127.0.0.1 is taken by another ${recorded.has(preferred) ? 'VM' : 'program'}`, {
        hint: 'Use another --ssh-port, or none: then ingot chooses a free one.',
      });
    }
  }
  let lost = 0;
  for (let port = FIRST; port <= LAST; port++) {
    if (recorded.has(port) || !(await isFree(port))) continue;
    try {
      return await use(port);
    } catch (error) {
      // Another program, or an ingot of another home, took it after it was found free.
      if (!(error instanceof IngotError) || error.code !== 'port-taken' || (lost += 1) >= TRIES) throw error;
    }
  }
  throw new IngotError('conflict', 'ports-exhausted', `No port between ${FIRST} and ${LAST} is free`, { hint: 'Delete VMs that are no longer needed.' });
}

async function isFree(port: number): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => answer.resolve(false));
  server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => answer.resolve(true)));
  return answer.promise;
}
