import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import type { CommandOptions, CommandResult } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import { companionsOf, withCompanions } from './companions.ts';
import { consoleTail } from './console-text.ts';
import { findFirmware } from './firmware.ts';
import { guestFiles, type GuestSpec } from './guest-spec.ts';
import { launch, qemuLog, type Lifetime } from './launch.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { endQemu, runningQemu } from './qemu-process.ts';
import { QmpClient } from './qmp.ts';
import { restoreRamState } from './ram-state.ts';
import { ANY_EXIT_CODE, loginLimit, sshCommand, waitForLogin } from './ssh.ts';

export type { Lifetime } from './launch.ts';
export type { GuestSpec } from './guest-spec.ts';

/** How a guest's QEMU ended; the exit code is unknown where another process started it. */
export interface GuestEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** What QEMU wrote to its standard error. */
  readonly stderr: string;
}

export interface PowerdownOptions {
  /** Seconds that the guest has to shut down. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/** A running machine. */
export interface Guest {
  readonly spec: GuestSpec;
  readonly pid: number;
  /** Resolves when QEMU has ended; never rejects. Does not keep this process alive. */
  readonly ended: Promise<GuestEnd>;
  /** Runs a command in the guest, its words as they are; any exit code is an answer (255 is also ssh's own failure). */
  ssh(argv: readonly string[], options?: Omit<CommandOptions, 'accept'>): Promise<CommandResult>;
  /** Waits until one can log in; the limit scales with the accelerator. Throws `ssh-timeout` and `qemu-ended`, both with the console's tail. */
  waitForSsh(options?: { readonly limit?: number; readonly signal?: AbortSignal; readonly onWait?: (what: string) => void }): Promise<void>;
  /** The last lines that the guest wrote to its serial console in this start. */
  consoleTail(lines: number): Promise<string>;
  /** A connection to QEMU's monitor; close it soon, since QEMU serves one at a time. */
  qmp(): Promise<QmpClient>;
  /** Asks the guest to shut down, through ACPI and its agent, until it has; false where it did not in time. */
  powerdown(options: PowerdownOptions): Promise<boolean>;
  /** Ends QEMU at once, as pulling the plug does, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface StartOptions {
  readonly lifetime: Lifetime;
  readonly signal?: AbortSignal;
  /** A saved state of the same machine: it does nothing until {@link restoreRamState} lets it go on from there. */
  readonly incoming?: HostPath;
}

/**
 * Starts a machine. With lifetime `process` it cannot outlive this process, whatever ends that (on Linux; elsewhere the caller's `kill`
 * ends it); with `detached` it stays. With `incoming`, a file of ram-state.ts, it does nothing until restoreRamState lets it go on from there.
 * Throws `qemu-failed`, `port-taken`, `firmware-missing`, `tools-missing`, `share-unsupported`, `share-gone`.
 */
export async function startGuest(host: Host, spec: GuestSpec, options: StartOptions): Promise<Guest> {
  const files = guestFiles(spec.folder);
  const companions = await companionsOf(host, spec);
  for (const path of [files.serial, ...companions.map(({ socket }) => socket)]) checkSocketPath(path);
  const firmware = await findFirmware(host, spec.arch, spec.firmware);
  if (firmware !== undefined && (await host.files.status(files.efiVariables)) === undefined) {
    const fresh = `${files.efiVariables}.new`;
    await host.files.copy(firmware.variables, fresh);
    await host.files.setMode(fresh, 0o600);
    await host.files.rename(fresh, files.efiVariables);
  }
  if ((await host.files.status(files.console)) !== undefined) await host.files.rename(files.console, files.previousConsole);
  // A socket or pid file of an earlier start must not be taken for this one's.
  const sockets = companions.map(({ socket }) => socket);
  for (const stale of [files.qmp, files.serial, files.agent, files.pid, files.ready, ...sockets]) await host.files.remove(stale);
  const { lifetime, signal, incoming } = options;
  const how = { firmware, disposable: lifetime === 'process', sandbox: host.machine.platform === 'linux', incoming: incoming !== undefined };
  const launched = await launch(host, files, withCompanions(companions, qemuArguments(spec, how)), lifetime, {
    ...(signal === undefined ? {} : { signal }),
    ...(incoming === undefined ? {} : { input: incoming }),
  });
  return makeGuest(host, spec, launched.pid, launched.ended);
}

/**
 * Starts a machine that goes on from a saved state instead of booting; its disks are as they were at that moment. Throws what {@link startGuest} throws,
 * and `ram-state-refused`, after which it does not run.
 */
export async function startSavedGuest(host: Host, spec: GuestSpec, options: StartOptions & { readonly incoming: HostPath }): Promise<Guest> {
  const { incoming, signal } = options;
  await using undo = new AsyncDisposableStack();
  const guest = await startGuest(host, spec, options);
  undo.defer(() => guest.kill());
  using qmp = await guest.qmp();
  await restoreRamState(host, qmp, incoming, { ...(signal === undefined ? {} : { signal }), memoryApart: spec.memoryFile !== undefined });
  undo.move();
  return guest;
}

/** Finds the machine where it runs, whoever started it. */
export async function attachGuest(host: Host, spec: GuestSpec): Promise<Guest | undefined> {
  const pidFile = guestFiles(spec.folder).pid;
  const pid = await runningQemu(host, pidFile);
  return pid === undefined ? undefined : makeGuest(host, spec, pid, undefined);
}

/** The kernel's limit for a socket's path (107 bytes on Linux, 103 on macOS). */
function checkSocketPath(path: HostPath): void {
  if (Buffer.byteLength(path) <= 103) return;
  throw new IngotError('host', 'path-too-long', `The path ${path} is too long for a socket`, {
    hint: 'Use a shorter name, or set INGOT_HOME to a folder with a shorter path.',
  });
}

const POLL_SECONDS = 0.1;
/** How often a guest is asked again: while it boots, it does not listen. */
const ASK_AGAIN_SECONDS = 5;
const CONSOLE_LINES = 25;

function makeGuest(
  host: Host,
  spec: GuestSpec,
  pid: number,
  process: Promise<{ exitCode: number | undefined; signal: string | undefined }> | undefined,
): Guest {
  const files = guestFiles(spec.folder);
  const isRunning = async (): Promise<boolean> => (await runningQemu(host, files.pid)) === pid;
  let ended: Promise<GuestEnd> | undefined;
  const tail = (lines: number): Promise<string> => consoleTail(host, files.console, lines);
  const qmp = (): Promise<QmpClient> => QmpClient.connect(files.qmp);

  const waitForEnd = async (seconds: number, signal?: AbortSignal): Promise<boolean> => {
    const limit = host.clock.monotonic() + seconds * 1000;
    while (await isRunning()) {
      if (host.clock.monotonic() > limit) return false;
      await host.clock.sleep(POLL_SECONDS, signal);
    }
    return true;
  };

  /** Tells whether the guest has written to its console since it was asked last. */
  const consoleGrows = (): (() => Promise<boolean>) => {
    let known = 0;
    return async () => {
      const before = known;
      known = (await host.files.status(files.console))?.size ?? 0;
      return known !== before;
    };
  };

  const checkAlive = async (): Promise<void> => {
    if (await isRunning()) return;
    const said = await qemuLog(host, files.log);
    throw new IngotError('host', 'qemu-ended', `The machine ${spec.name} ended before one could log in`, {
      hint: `Look at \`ingot vm logs ${spec.name}\`.`,
      detail: [said === '' ? '' : `QEMU said:\n${said}\n`, `The end of the console:\n${await tail(CONSOLE_LINES)}`].join(''),
    });
  };

  return {
    spec,
    pid,
    get ended() {
      ended ??= process === undefined ? pollEnd(host, isRunning, files.log) : process.then(async (how) => ({ ...how, stderr: await qemuLog(host, files.log) }));
      return ended;
    },
    ssh: (argv, options) => host.processes.run(sshCommand(spec.name, spec.ssh, argv), { ...options, accept: ANY_EXIT_CODE }),
    async waitForSsh(options = {}) {
      // A trial login costs as much as the real one: one per start of the guest is enough.
      const wasReady = (await readTextIfThere(host.files, files.ready)) === String(pid);
      const patient = options.limit === undefined ? { limit: loginLimit(spec.accelerator.kind), stillBusy: consoleGrows() } : {};
      const settings = { limit: 0, ...patient, checkAlive, consoleTail: () => tail(CONSOLE_LINES), login: !wasReady, ...options };
      await waitForLogin(host, spec.name, spec.ssh, settings);
      if (!wasReady) await host.files.write(files.ready, String(pid), { mode: 0o600 });
    },
    consoleTail: tail,
    qmp,
    async powerdown({ timeout, signal }) {
      const limit = host.clock.monotonic() + timeout * 1000;
      for (let asked = 0; host.clock.monotonic() < limit; asked++) {
        if (!(await ask(spec, qmp, asked > 0))) return waitForEnd(1, signal);
        if (await waitForEnd(Math.min(ASK_AGAIN_SECONDS, (limit - host.clock.monotonic()) / 1000), signal)) return true;
      }
      return !(await isRunning());
    },
    async kill() {
      if (await isRunning()) await endQemu(host, files.pid, pid);
    },
  };
}

/** Presses the power button; from the second time on, also asks the agent, which works where nothing listens to the button. False where QEMU has gone. */
async function ask(spec: GuestSpec, qmp: () => Promise<QmpClient>, agentToo: boolean): Promise<boolean> {
  try {
    using monitor = await qmp();
    await monitor.execute('system_powerdown');
  } catch (error) {
    if (error instanceof IngotError && error.code === 'qemu-gone') return false;
    throw error;
  }
  if (agentToo) await tellAgent(guestFiles(spec.folder).agent, { execute: 'guest-shutdown', arguments: { mode: 'powerdown' } });
  return true;
}

/** Sends a command that the guest agent does not answer; silent where no agent listens. */
async function tellAgent(path: HostPath, command: object): Promise<void> {
  const { connect } = await import('node:net');
  const done = Promise.withResolvers<void>();
  const socket = connect(path, () => socket.end(`${JSON.stringify(command)}\n`, () => done.resolve()));
  socket.on('error', () => done.resolve());
  await done.promise;
}

async function pollEnd(host: Host, isRunning: () => Promise<boolean>, log: HostPath): Promise<GuestEnd> {
  const { setTimeout: pause } = await import('node:timers/promises');
  while (await isRunning()) await pause(500, undefined, { ref: false });
  return { exitCode: undefined, signal: undefined, stderr: await qemuLog(host, log) };
}
