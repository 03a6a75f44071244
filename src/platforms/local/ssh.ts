import { connect } from 'node:net';
import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { takeLock } from '../../base/lock.ts';
import { quoteCommand, type Argv } from '../../base/process.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { SshAccess } from './guest-spec.ts';

/** The key that ingot logs in to guests with. */
export interface SshKey {
  readonly path: HostPath;
  /** The line for authorized_keys. */
  readonly publicKey: string;
}

/** Returns ingot's own key; makes it once per home. It appears whole: the private part is renamed into place last. */
export async function ensureSshKey(host: Host, home: Home): Promise<SshKey> {
  const path = hostPath(join(home.keys, 'id_ed25519'));
  if ((await host.files.status(path)) === undefined) await makeKey(host, home, path);
  return await readKey(host, path);
}

/** Makes a key in a new file, for as long as that is there. */
export async function makeSshKey(host: Host, path: HostPath): Promise<SshKey> {
  await host.processes.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'ingot', '-f', path]);
  return await readKey(host, path);
}

async function readKey(host: Host, path: HostPath): Promise<SshKey> {
  return {
    path,
    publicKey: Buffer.from(await host.files.read(`${path}.pub`))
      .toString('utf8')
      .trim(),
  };
}

async function makeKey(host: Host, home: Home, path: HostPath): Promise<void> {
  await using _lock = await takeLock(host, home, 'ssh-key', { what: 'making the SSH key' });
  if ((await host.files.status(path)) !== undefined) return;
  await using scratch = await makeScratch(host, home, 'making the SSH key');
  const fresh = hostPath(join(scratch.path, 'key'));
  await makeSshKey(host, fresh);
  for (const file of [fresh, `${fresh}.pub`]) await host.files.sync(file);
  await host.files.rename(`${fresh}.pub`, `${path}.pub`);
  await host.files.rename(fresh, path);
  await host.files.sync(home.keys);
}

/**
 * What ssh and its like are told about a guest, as options of ssh_config: they ask nothing, and keep the guest's host key under `name` in a file of
 * the guest's own.
 */
export function sshOptions(name: string, access: SshAccess): Readonly<Record<string, string>> {
  return {
    IdentityFile: quoted(access.key),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    BatchMode: 'yes',
    HostKeyAlias: name,
    CheckHostIP: 'no',
    StrictHostKeyChecking: 'accept-new',
    UserKnownHostsFile: quoted(access.knownHosts),
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    // Only the server's banner can be late: the forwarded port accepts at once.
    ConnectTimeout: '60',
    ServerAliveInterval: '30',
    LogLevel: 'ERROR',
  };
}

/** The options as words for ssh, scp and sftp, which read no configuration of the user or the host then. */
export function sshOptionWords(name: string, access: SshAccess): string[] {
  return ['-F', 'none', ...Object.entries(sshOptions(name, access)).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
}

/** Where the guest's SSH server is reached. */
export function addressOf({ address }: Pick<SshAccess, 'address'>): string {
  return address ?? '127.0.0.1';
}

/** The ssh command for a guest, without what is to be run there. */
export function sshArguments(name: string, access: SshAccess): Argv {
  return ['ssh', ...sshOptionWords(name, access), '-p', String(access.port), '-l', access.user, addressOf(access)];
}

/** The ssh command that runs a command in the guest: the words arrive there as they are, whatever is in them. */
export function sshCommand(name: string, access: SshAccess, argv: readonly string[]): Argv {
  return [...sshArguments(name, access), '--', quoteCommand(argv)];
}

/** A path as ssh reads it: its own tokens start with a percent sign, and spaces would end it. */
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('"', String.raw`\"`)}"`;
}

/** Seconds to wait for a login, by what runs the guest. */
export function loginLimit(kind: 'kvm' | 'hvf' | 'tcg'): number {
  return kind === 'tcg' ? 600 : 120;
}

export interface WaitOptions {
  /** Seconds until `ssh-timeout`. */
  readonly limit: number;
  readonly signal?: AbortSignal;
  /** Wait for the server only, where false. */
  readonly login?: boolean;
  /** Called when what is waited for changes. */
  readonly onWait?: (what: string) => void;
  /**
   * Whether the guest has done anything since this was asked last. While it has, it is waited for beyond the limit, up to {@link PATIENCE} times as long:
   * on a busy host a boot takes as long as it takes. Left out where the limit is somebody's wish.
   */
  readonly stillBusy?: () => Promise<boolean>;
  /** Throws where waiting has become pointless: the guest has ended. */
  readonly checkAlive: () => Promise<void>;
  /** The end of the guest's console, for the error; where there is one that can be read. */
  readonly consoleTail?: () => Promise<string>;
  /** What one can look at. */
  readonly hint?: string;
}

/** Pauses grow: a machine that goes on from its memory lets one in at once, one that boots takes long. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [0.02, 0.5];

const [FIRST_SILENCE, LONGEST_SILENCE] = [10, 40];

const PATIENCE = 4;

/**
 * The seconds until which a guest is waited for, where it was waited for so long already: more than `limit` while it does something, up to {@link PATIENCE}
 * times as long as `wanted`.
 */
export async function patientLimit(
  limit: number,
  { wanted, waited, stillBusy }: { readonly wanted: number; readonly waited: number; readonly stillBusy: (() => Promise<boolean>) | undefined },
): Promise<number> {
  return waited > limit && limit < wanted * PATIENCE && (await stillBusy?.()) === true ? limit + wanted / 4 : limit;
}

/**
 * Seconds to wait for a server's banner after so many connections that were silent. It grows, since each connection makes the guest start a process:
 * one that takes longer than the client waits would be joined by the next, and a slow guest would never answer any. Pure.
 */
export function silenceLimit(silent: number): number {
  return Math.min(FIRST_SILENCE * 2 ** silent, LONGEST_SILENCE);
}

/**
 * Waits until one can log in: first for the server's banner (a forwarded port accepts connections long before a server is there), then for
 * a login (keys and accounts come after the server). Throws `ssh-timeout` with what was waited for and the console's tail.
 */
export async function waitForLogin(host: Host, name: string, access: SshAccess, options: WaitOptions): Promise<void> {
  const start = host.clock.monotonic();
  const waited = (): number => (host.clock.monotonic() - start) / 1000;
  let limit = options.limit;
  let silent = 0;
  const banner = async (): Promise<true | string> => {
    const left = Math.max(FIRST_SILENCE, limit - waited());
    const answer = await hasBanner(access, Math.min(silenceLimit(silent), left), options.signal);
    silent = answer === SILENT ? silent + 1 : 0;
    return answer;
  };
  const stages = [
    { what: `${name}'s SSH server to answer`, reached: banner },
    { what: `a login as ${access.user} on ${name}`, reached: () => canLogIn(host, name, access, options.signal) },
  ];
  for (const stage of options.login === false ? stages.slice(0, 1) : stages) {
    options.onWait?.(stage.what);
    let pause = FIRST_PAUSE;
    for (let answer = await stage.reached(); answer !== true; answer = await stage.reached()) {
      options.signal?.throwIfAborted();
      await options.checkAlive();
      limit = await patientLimit(limit, { wanted: options.limit, waited: waited(), stillBusy: options.stillBusy });
      if (waited() > limit) {
        const tail = await options.consoleTail?.();
        throw new IngotError('timeout', 'ssh-timeout', `Waited ${Math.round(limit)} s in vain for ${stage.what}: ${answer}`, {
          hint: options.hint ?? `Look at \`ingot vm logs ${name}\`, or attach with \`ingot vm console ${name}\`.`,
          ...(tail === undefined ? {} : { detail: `The end of the console:\n${tail === '' ? '(nothing was written to it)' : tail}` }),
        });
      }
      await host.clock.sleep(pause, options.signal);
      pause = Math.min(pause * 1.2, LONGEST_PAUSE);
    }
  }
}

const SILENT = 'the port accepts connections, but nothing is said';

/** True when an SSH server introduces itself on the port within so many seconds; else what happened, in words. */
async function hasBanner(access: SshAccess, seconds: number, signal: AbortSignal | undefined): Promise<true | string> {
  const answer = Promise.withResolvers<true | string>();
  const socket = connect({ host: addressOf(access), port: access.port, ...(signal === undefined ? {} : { signal }) });
  socket.setTimeout(seconds * 1000, () => answer.resolve(SILENT));
  socket.once('data', (data) => answer.resolve(String(data).startsWith('SSH-') ? true : 'something else than an SSH server answers'));
  socket.once('error', (error) => answer.resolve(error.message));
  socket.once('close', () => answer.resolve('connections are closed at once'));
  try {
    return await answer.promise;
  } finally {
    socket.destroy();
  }
}

async function canLogIn(host: Host, name: string, access: SshAccess, signal: AbortSignal | undefined): Promise<true | string> {
  const result = await host.processes.run(sshCommand(name, access, ['true']), { accept: ANY_EXIT_CODE, ...(signal === undefined ? {} : { signal }) });
  return result.exitCode === 0 ? true : result.stderr.trim().split('\n').at(-1) || `ssh ended with exit code ${result.exitCode}`;
}

/** For commands whose exit code is an answer, whatever it is. */
export const ANY_EXIT_CODE: readonly number[] = Array.from({ length: 256 }, (_, code) => code);
