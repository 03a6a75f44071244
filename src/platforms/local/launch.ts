import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import { endingWithIngot, quoteCommand, type Argv, type RunningProcess } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import type { GuestFiles } from './guest-spec.ts';
import { QmpClient } from './qmp.ts';

/** Whether a guest ends with the process that started it, however that ends, or outlives it. */
export type Lifetime = 'process' | 'detached';

/** Starts QEMU with its standard error in a file ($1) and its standard input from one ($2); the rest is the command. */
const DETACHED = 'exec 2>"$1" <"$2"; shift 2; exec "$@"';

/**
 * The same, once it has heard "go". setpriv has asked the kernel by then to kill it with its parent, and the parent was alive to say so:
 * there is no moment at which the parent's end could be missed.
 */
const WITH_PARENT = 'exec 2>"$1"; input=$2; shift 2; echo ready; read -r go && [ "$go" = go ] && exec "$@" <"$input" >/dev/null';

/** Seconds until QEMU answers on its monitor. */
const START_SECONDS = 20;

/** Where QEMU listens and writes. */
export type LaunchFiles = Pick<GuestFiles, 'qmp' | 'log'>;

/** A QEMU that runs. */
export interface Launched {
  readonly pid: number;
  readonly ended: RunningProcess['ended'];
}

export interface LaunchOptions {
  readonly signal?: AbortSignal;
  /** A file that QEMU has as its standard input; default none. */
  readonly input?: HostPath;
}

/**
 * Starts QEMU and waits until its monitor answers. Throws `port-taken`, and `qemu-failed` with its own words.
 */
export async function launch(host: Host, files: LaunchFiles, argv: Argv, lifetime: Lifetime, options: LaunchOptions = {}): Promise<Launched> {
  const { signal, input = '/dev/null' } = options;
  const running =
    lifetime === 'process'
      ? await spawnWithParent(host, files.log, input, argv)
      : host.processes.spawn(['/bin/sh', '-c', DETACHED, 'sh', files.log, input, ...argv], { detached: true });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => void running.kill('SIGKILL'));
  let end: { exitCode: number | undefined; signal: string | undefined } | undefined;
  void running.ended.then((how) => (end = how));
  const limit = host.clock.monotonic() + START_SECONDS * 1000;
  for (let pause = 0.005; ; pause = Math.min(pause * 1.5, 0.1)) {
    if (end !== undefined || running.pid === undefined) throw await startFailure(host, files.log, argv);
    if (await isRunningGuest(files.qmp)) break;
    if (host.clock.monotonic() > limit) {
      throw new IngotError('timeout', 'qemu-silent', `QEMU did not answer on its monitor within ${START_SECONDS} s`, {
        detail: `$ ${quoteCommand(argv)}\n${await qemuLog(host, files.log)}`,
      });
    }
    await host.clock.sleep(pause, signal);
  }
  stack.move();
  return { pid: running.pid, ended: running.ended };
}

async function spawnWithParent(host: Host, log: HostPath, input: string, argv: Argv): Promise<RunningProcess> {
  const shell: Argv = ['/bin/sh', '-c', WITH_PARENT, 'sh', log, input, ...argv];
  // Elsewhere than on Linux nothing like it exists; there the guest ends with ingot's orderly end only.
  // In a session of its own, so that Ctrl-C in the terminal, which is for ingot, does not end it at once. setsid forks only what leads a group, which this does not.
  const alone: Argv = host.machine.platform === 'linux' ? ['setsid', ...shell] : shell;
  const running = host.processes.spawn(endingWithIngot(alone, host.machine.platform), {
    stdin: 'pipe',
    stdout: 'pipe',
  });
  await Promise.race([new Promise((resolve) => running.stdout?.once('data', resolve)), running.ended]);
  running.stdin?.on('error', () => undefined);
  running.stdin?.write('go\n');
  return running;
}

async function isRunningGuest(socket: HostPath): Promise<boolean> {
  try {
    using qmp = await QmpClient.connect(socket, START_SECONDS);
    await qmp.execute('query-status');
    return true;
  } catch (error) {
    // Not there yet, or gone: the caller sees which.
    if (error instanceof IngotError && error.code === 'qemu-gone') return false;
    throw error;
  }
}

async function startFailure(host: Host, log: HostPath, argv: Argv): Promise<IngotError> {
  const said = await qemuLog(host, log);
  const [, address, port] = /could not set up host forwarding rule '\w+:([\d.]*):(\d+)-/i.exec(said) ?? [];
  if (port !== undefined) {
    return new IngotError('conflict', 'port-taken', `Port ${port} of ${address} was taken by another program`, { hint: 'Start it again.', detail: said });
  }
  const last =
    said
      .split('\n')
      .at(-1)
      ?.replace(/^qemu-system-\w+: /, '') ?? '';
  return new IngotError('host', 'qemu-failed', `QEMU did not start${last === '' ? '' : `: ${last}`}`, {
    detail: `$ ${quoteCommand(argv)}\n${said}`,
    ...hintFor(said),
  });
}

/** What QEMU's commonest complaints come from. */
function hintFor(said: string): { hint?: string } {
  if (/failed to get "?(write|shared|consistent read)"? lock|write" lock/i.test(said)) return { hint: 'Another QEMU has the disk open.' };
  if (/cannot set up guest memory|cannot allocate memory/i.test(said)) return { hint: 'Give it less --memory, or stop other VMs.' };
  if (/not found|command not found/i.test(said)) return { hint: 'Run `ingot setup` to install what is missing.' };
  if (/unknown (device|machine)|not a valid (device|machine)|unsupported machine type/i.test(said))
    return { hint: 'This QEMU lacks a part that ingot uses; `ingot doctor` tells which version it needs.' };
  return {};
}

/** What QEMU wrote to its standard error since its start. */
export async function qemuLog(host: Pick<Host, 'files'>, log: HostPath): Promise<string> {
  return ((await readTextIfThere(host.files, log)) ?? '').trim();
}
