import { createServer } from 'node:net';
import { IngotError, systemErrorCode } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { takeLock } from '../../base/lock.ts';
import { findProgram } from '../../base/programs.ts';
import type { GuestForward } from './guest-spec.ts';

/** Below the range that Linux and macOS give to outgoing connections, so that none of those takes a VM's port while it is stopped. */
const FIRST = 22_200;
const LAST = 29_999;
/** Ports that somebody else may take in the moment between finding one free and using it. */
const TRIES = 5;

type Protocol = GuestForward['protocol'];

/** Ports of VMs, running or not, by {@link portKey}, and the VM that has each. */
export type RecordedPorts = ReadonlyMap<string, string>;

/** Names a port among those that VMs have. Two VMs never share one, whatever the address. */
export function portKey(protocol: Protocol, port: number): string {
  return `${protocol} ${port}`;
}

/** A port of the host that is wanted. */
export interface WantedPort {
  readonly protocol: Protocol;
  readonly address: string;
  /** The one to use if it is free; else any. */
  readonly preferred?: number;
  /** Only the preferred one will do: throws `port-taken` where it is not free. */
  readonly fixed?: boolean;
}

export interface PortsRequest {
  readonly recorded: () => Promise<RecordedPorts>;
  readonly wanted: readonly WantedPort[];
  readonly signal?: AbortSignal;
}

/** One port for SSH. */
export interface PortRequest extends Pick<PortsRequest, 'recorded' | 'signal'>, Pick<WantedPort, 'preferred' | 'fixed'> {}

/** {@link withFreePorts} for one TCP port of 127.0.0.1. */
export async function withFreePort<T>(host: Host, home: Home, request: PortRequest, use: (port: number) => Promise<T>): Promise<T> {
  const { recorded, signal, ...wish } = request;
  const wanted = [{ protocol: 'tcp', address: '127.0.0.1', ...wish }] as const;
  return await withFreePorts(host, home, { recorded, wanted, ...(signal === undefined ? {} : { signal }) }, ([port = 0]) => use(port));
}

/**
 * Finds free ports, in the order of what is wanted, and calls `use` with them while no other ingot of this home can choose one: until `use` has bound or
 * recorded them. Where `use` throws `port-taken`, since somebody else was faster, others are tried in place of those that are not fixed.
 * Throws `port-taken` with who has it, `port-forbidden`, `address-unknown`, `ports-exhausted`.
 */
export async function withFreePorts<T>(host: Host, home: Home, request: PortsRequest, use: (ports: readonly number[]) => Promise<T>): Promise<T> {
  return await inTurn(home.root, () => choosePorts(host, home, request, use));
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

async function choosePorts<T>(host: Host, home: Home, request: PortsRequest, use: (ports: readonly number[]) => Promise<T>): Promise<T> {
  const { wanted, signal } = request;
  signal?.throwIfAborted();
  await using _lock = await takeLock(host, home, 'ports', { what: 'choosing a port', ...(signal === undefined ? {} : { signal }) });
  const recorded = await request.recorded();
  const lost = new Set<string>();
  for (let tries = 1; ; tries++) {
    const ports = await choose(host, wanted, recorded, lost);
    try {
      return await use(ports);
    } catch (error) {
      // Another program, or an ingot of another home, took it after it was found free.
      if (!(error instanceof IngotError) || error.code !== 'port-taken' || tries >= TRIES) throw error;
      if (wanted.every(({ fixed }) => fixed === true)) throw error;
      for (const [index, { protocol, fixed }] of wanted.entries()) if (fixed !== true) lost.add(portKey(protocol, ports[index] ?? 0));
    }
  }
}

async function choose(host: Host, wanted: readonly WantedPort[], recorded: RecordedPorts, lost: ReadonlySet<string>): Promise<number[]> {
  const mine = new Set<string>();
  const ports = wanted.map((): number | undefined => undefined);
  const take = (index: number, { protocol }: WantedPort, port: number): void => {
    ports[index] = port;
    mine.add(portKey(protocol, port));
  };
  for (const [index, wish] of wanted.entries()) {
    const { preferred, fixed } = wish;
    if (preferred === undefined) continue;
    const owner = recorded.get(portKey(wish.protocol, preferred));
    const state = owner !== undefined || mine.has(portKey(wish.protocol, preferred)) ? 'taken' : await probe(wish, preferred);
    if (state === 'free' && !lost.has(portKey(wish.protocol, preferred))) take(index, wish, preferred);
    else if (fixed === true) throw await notFree(host, wish, preferred, state, owner);
  }
  for (const [index, wish] of wanted.entries()) {
    for (let port = FIRST; ports[index] === undefined; port++) {
      if (port > LAST) {
        throw new IngotError('conflict', 'ports-exhausted', `No port between ${FIRST} and ${LAST} is free`, { hint: 'Delete VMs that are no longer needed.' });
      }
      const key = portKey(wish.protocol, port);
      if (recorded.has(key) || mine.has(key) || lost.has(key)) continue;
      const state = await probe(wish, port);
      if (state === 'free') take(index, wish, port);
      // No port of it will do.
      else if (state === 'no-address') throw await notFree(host, wish, port, state, undefined);
    }
  }
  return ports.map((port) => port ?? 0);
}

type PortState = 'free' | 'taken' | 'forbidden' | 'no-address';

async function notFree(host: Host, { protocol, address }: WantedPort, port: number, state: PortState, owner: string | undefined): Promise<IngotError> {
  const name = `${protocol === 'udp' ? 'UDP port' : 'Port'} ${port} of ${address}`;
  if (state === 'no-address') {
    return new IngotError('usage', 'address-unknown', `This host has no address ${address}`, { hint: '127.0.0.1 is for this host alone, 0.0.0.0 for all.' });
  }
  if (state === 'forbidden') {
    return new IngotError('host', 'port-forbidden', `${name} may only be used by root`, { hint: 'Use one of 1024 or more.' });
  }
  const by = owner === undefined ? await programAt(host, protocol, port) : `the VM ${owner}`;
  return new IngotError('conflict', 'port-taken', `${name} is taken by ${by}`, { hint: 'Use another port, or name none: then ingot chooses a free one.' });
}

/** Who listens on a port, as far as this user may know. */
async function programAt(host: Host, protocol: Protocol, port: number): Promise<string> {
  if (host.machine.platform !== 'linux' || (await findProgram(host, 'ss')) === undefined) return 'another program';
  const { stdout } = await host.processes.run(['ss', '-Hnlp', protocol === 'udp' ? '-u' : '-t', `sport = :${port}`], { accept: [1, 255] });
  const [, program, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout) ?? [];
  return program === undefined ? 'another program' : `another program, ${program} (process ${pid})`;
}

async function probe({ protocol, address }: WantedPort, port: number): Promise<PortState> {
  const answer = Promise.withResolvers<PortState>();
  const failed = (error: Error): void => {
    const code = systemErrorCode(error);
    answer.resolve(code === 'EACCES' ? 'forbidden' : code === 'EADDRNOTAVAIL' ? 'no-address' : 'taken');
  };
  if (protocol === 'udp') {
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    socket.once('error', (error) => socket.close(() => failed(error)));
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => answer.resolve('free')));
  } else {
    const server = createServer();
    server.once('error', failed);
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => answer.resolve('free')));
  }
  return await answer.promise;
}
