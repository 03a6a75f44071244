import { dirname } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Events } from '../base/events.ts';
import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';

/** What a program that reads files of strangers may have. */
export interface Confinement {
  /** The only files besides its own program that it sees. */
  readonly reads: readonly HostPath[];
  /** A file that it may write, in a folder of ours that it sees whole. */
  readonly writes?: HostPath;
  /** Bytes of address space; default 4 GiB. */
  readonly memory?: number;
  /** Seconds of processor time; default an hour. */
  readonly seconds?: number;
  /** Bytes of the largest file that it may write. */
  readonly fileSize?: number;
}

const MEMORY = 4 * 2 ** 30;
const SECONDS = 3600;

/** What of a host it takes to start a program. */
export const PROGRAMS_OF_HOST = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc/ld.so.cache', '/etc/alternatives', '/nix/store'];

/**
 * How a program that reads files of strangers is started: with limits on memory, time and what it writes, without network and rights, and with nothing of
 * this host to see but programs and the files named. Where the host lets nobody but root make namespaces, limits alone are left: `why` then says so.
 */
export async function confine(
  host: Pick<Host, 'processes' | 'machine'>,
  { reads, writes, memory = MEMORY, seconds = SECONDS, fileSize }: Confinement,
): Promise<{ readonly command: (argv: Argv) => Argv; readonly why?: string }> {
  if (host.machine.platform !== 'linux') return { command: (argv) => argv, why: 'this host is no Linux' };
  const limits = [`--as=${memory}`, `--cpu=${seconds}`, ...(fileSize === undefined ? [] : [`--fsize=${fileSize}`])];
  const limited = (argv: Argv): Argv => ['prlimit', ...limits, '--', ...argv];
  const box: Argv = [
    ...(['bwrap', '--die-with-parent', '--unshare-all', '--cap-drop', 'ALL'] as const),
    // A file of another user, for root.
    ...(host.machine.uid === 0 ? ['--cap-add', 'CAP_DAC_READ_SEARCH'] : []),
    ...PROGRAMS_OF_HOST.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...(writes === undefined ? [] : ['--bind', dirname(writes), dirname(writes)]),
    ...reads.flatMap((path) => ['--ro-bind', path, path]),
    ...['--chdir', '/', '--'],
  ];
  try {
    await host.processes.run([...box, 'true'], { timeout: 60 });
  } catch (error) {
    if (!(error instanceof IngotError) || !['command-failed', 'command-missing'].includes(error.code)) throw error;
    return { command: limited, why: error.detail?.split('\n').at(-1) ?? error.message };
  }
  return { command: (argv) => limited([...box, ...argv]) };
}

const told = new WeakSet<Events>();

/** Says, once in a command, that files of strangers are read with limits alone, where this host lets nobody lock programs in. */
export async function tellLimits({ host, events }: { readonly host: Pick<Host, 'processes' | 'machine'>; readonly events: Events }): Promise<void> {
  if (told.has(events)) return;
  told.add(events);
  const { why } = await confine(host, { reads: [] });
  if (why === undefined) return;
  events.message('warn', `qemu-img and the programs that unpack read this file with limits on memory and time alone, and see this host's files: ${why}.`);
}
