import { arch, cpus, freemem, hostname, totalmem, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostFiles, type Files } from './files.ts';
import { hostProcesses, type Processes } from './process.ts';
import type { HttpConnections } from './transfer/http.ts';
import { hasProxy } from './transfer/proxy.ts';
import type { TlsTrust } from './transfer/socket.ts';

export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never jumps, for durations. */
  monotonic(): number;
  /** Waits; rejects with an AbortError when the signal fires. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  bytes(count: number): Uint8Array;
}

/** What the machine is; read once, never changed by ingot. */
export interface Machine {
  /** Debian's name of the processor architecture: `amd64`, `arm64`. */
  readonly arch: string;
  readonly platform: NodeJS.Platform;
  readonly cpus: number;
  readonly memory: number;
  readonly freeMemory: () => number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly hostname: string;
}

/**
 * All that ingot touches outside its own memory. A test passes one that counts effects, fails at the n-th, or
 * keeps files in memory; everything else gets {@link realHost}.
 */
export interface Host {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly random: Random;
  /** HTTP requests; the runtime's own fetch in the real host, by the proxies of its environment. */
  readonly fetch: typeof globalThis.fetch;
  /** Connections for large files, which are closed when disposed. */
  readonly http: (trust?: TlsTrust) => Promise<HttpConnections>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly machine: Machine;
}

const DEBIAN_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ppc64: 'ppc64el', s390x: 's390x', riscv64: 'riscv64' };

/** The machine that this process runs on. */
export function realHost(): Host {
  const user = userInfo();
  return {
    files: hostFiles,
    processes: hostProcesses,
    clock: {
      now: () => new Date(),
      monotonic: () => performance.now(),
      sleep: async (seconds, signal) => void (await sleep(seconds * 1000, undefined, signal === undefined ? {} : { signal })),
    },
    // node:crypto costs milliseconds of every start, and most commands need no random bytes.
    random: { bytes: (count) => process.getBuiltinModule('node:crypto').randomBytes(count) },
    fetch: fetchOf(process.env),
    http: async (trust) => (await import('./transfer/http.ts')).openConnections(process.env, trust),
    env: process.env,
    machine: {
      arch: DEBIAN_ARCHITECTURES[arch()] ?? arch(),
      platform: process.platform,
      cpus: cpus().length,
      memory: totalmem(),
      freeMemory: freemem,
      uid: user.uid,
      gid: user.gid,
      user: user.username,
      hostname: hostname(),
    },
  };
}

/** The runtime's fetch; where the environment names proxies, one that goes by them. */
function fetchOf(env: Host['env']): typeof globalThis.fetch {
  if (!hasProxy(env)) return globalThis.fetch;
  let made: Promise<typeof globalThis.fetch> | undefined;
  return async (input, init) => {
    made ??= import('./transfer/proxy-fetch.ts').then(({ proxyFetch }) => proxyFetch(env));
    return await (
      await made
    )(input, init);
  };
}

/** A short random identifier in lower-case hexadecimal: of scratch folders, spans, VMs. */
export function randomId(random: Random, bytes = 6): string {
  return Buffer.from(random.bytes(bytes)).toString('hex');
}

/** The time now as the beginning of a file's name: sorted, names are in its order. */
export function fileTime(clock: Pick<Clock, 'now'>): string {
  return clock
    .now()
    .toISOString()
    .replaceAll(/[-:.Z]/g, '')
    .replace('T', '-');
}
