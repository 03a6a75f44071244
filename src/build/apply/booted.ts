import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { randomId } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { requireTools } from '../../doctor/install.ts';
import type { ProgramRecipe } from '../../plan/layers.ts';
import { accelerator } from '../../platforms/local/accelerator.ts';
import { randomMac } from '../../platforms/local/create.ts';
import { startGuest, type Guest, type GuestSpec } from '../../platforms/local/guest.ts';
import { architectureSchema } from '../../platforms/local/guest-spec.ts';
import { withFreePort } from '../../platforms/local/ports.ts';
import { makeSeed } from '../../platforms/local/seed.ts';
import { ANY_EXIT_CODE, ensureSshKey, sshArguments, sshCommand } from '../../platforms/local/ssh.ts';
import { recordedPorts, ROOT_DISK } from '../../platforms/local/vms.ts';
import { GUEST_ENVIRONMENT } from '../../workspace/sandbox.ts';
import { runPlaybook } from './ansible.ts';
import type { ApplyContext } from './apply.ts';
import { programScript } from './booted-program.ts';
import { BOOTED_FOLDER, BOOTED_PORT, bootedSeed } from './booted-seed.ts';
import { secretEnvironment } from './program.ts';

/** The layer that is booted: its own file, and those below it, bottom first. */
export interface BootedDisk {
  readonly chain: readonly HostPath[];
  readonly overlay: HostPath;
}

type Machine = NonNullable<ProgramRecipe['machine']>;
type Step = ProgramRecipe['step'];

const MEMORY = 2 ** 30;
/** Seconds for the system to have started all that it starts, and to shut down; emulation is slow. */
const SETTLE_SECONDS = { kvm: 120, hvf: 120, tcg: 600 } as const;
const SHUTDOWN_SECONDS = { kvm: 120, hvf: 120, tcg: 300 } as const;
const TAIL_LINES = 20;

/**
 * Boots the layer itself in a VM, runs the program of a step in it as root, and shuts it down. What the boot left on the disk is the caller's
 * to seal. Throws `step-failed` with the program's last lines, `ssh-timeout` and `qemu-ended` with the console's, `shutdown-timeout`.
 */
export async function runBooted(
  apply: ApplyContext,
  step: Step,
  machine: Machine,
  disk: BootedDisk,
  onFailure: (shell: Argv, error: unknown) => Promise<void>,
): Promise<void> {
  const { context, span } = apply;
  const { host, home, signal } = context;
  await requireTools(context, ['qemu-system', 'ssh', 'ssh-keygen']);
  const waiting = (what: string): void => span.progress(0, undefined, 'items', `waiting for ${what}`);
  await using undo = new AsyncDisposableStack();
  const spec = await guestSpec(apply, step, machine, disk);
  waiting('the machine to start');
  const guest = await withFreePort(host, home, { recorded: () => recordedPorts(host, home), signal }, (port) =>
    startGuest(host, { ...spec, ssh: { ...spec.ssh, port } }, { lifetime: 'process', signal }),
  );
  undo.defer(() => guest.kill());
  await guest.waitForSsh({ signal, onWait: waiting });
  waiting('the system to have started');
  await settle(apply, guest);
  span.progress(0, undefined, 'items', 'running');
  try {
    if (step.kind === 'ansible') await runPlaybook(apply, step, await ansibleTarget(apply, guest, undo));
    else await runProgram(apply, guest, step);
  } catch (error) {
    const [ssh, ...words] = sshArguments(guest.spec.name, guest.spec.ssh);
    await onFailure([ssh, '-t', ...words], error);
    throw error;
  }
  waiting('the machine to shut down');
  await shutDown(apply, guest);
}

async function guestSpec({ context, scratch }: ApplyContext, step: Step, machine: Machine, { chain, overlay }: BootedDisk): Promise<GuestSpec> {
  const { host, home, events, signal } = context;
  const arch = architectureSchema.parse(machine.arch);
  const folder = hostPath(join(scratch, 'guest'));
  await host.files.makeDirectory(folder, 0o700);
  const key = await ensureSshKey(host, home);
  const seed = hostPath(join(folder, 'seed.img'));
  const name = `build-${randomId(host.random, 3)}`;
  await makeSeed(host, seed, bootedSeed(name, key.publicKey));
  return {
    name,
    id: crypto.randomUUID(),
    folder,
    arch,
    firmware: machine.firmware,
    accelerator: await accelerator({ host, home, events, signal }, arch),
    cpus: Math.min(2, host.machine.cpus),
    memory: MEMORY,
    disks: [{ name: ROOT_DISK, chain, file: overlay }],
    seed,
    mac: randomMac(host),
    ssh: { port: 0, guestPort: BOOTED_PORT, user: 'root', key: key.path, knownHosts: hostPath(join(folder, 'known_hosts')) },
    isolated: !step.network,
  };
}

/** Waits until systemd has nothing left to start, so that the program meets the running services that it asked for. */
async function settle({ context }: ApplyContext, guest: Guest): Promise<void> {
  const { exitCode, stdout } = await guest.ssh(['systemctl', 'is-system-running', '--wait'], {
    timeout: SETTLE_SECONDS[guest.spec.accelerator.kind],
    signal: context.signal,
  });
  if (exitCode === 255) throw await lost(guest);
  if (exitCode === 0) return;
  const failed = await guest.ssh(['systemctl', 'list-units', '--state=failed', '--plain', '--no-legend'], { timeout: 120, signal: context.signal });
  context.events.message('warn', `The booted system is ${stdout.trim() || 'not up'}: ${failed.stdout.trim().split('\n').join('; ') || 'no unit failed'}`);
}

async function runProgram(apply: ApplyContext, guest: Guest, step: Exclude<Step, { kind: 'ansible' }>): Promise<void> {
  const script = programScript(step, { ...GUEST_ENVIRONMENT, ...step.env, ...(await secretEnvironment(apply, step)) }, BOOTED_FOLDER);
  const lines: string[] = [];
  const tail = (): string => lines.slice(-TAIL_LINES).join('\n');
  const what = step.kind === 'run' ? 'the program' : step.fileName;
  const { context, output } = apply;
  const { exitCode } = await guest
    .ssh(['sh'], {
      stdin: script,
      timeout: step.timeout,
      signal: context.signal,
      onLine: (line, stream) => {
        lines.push(line);
        output(`${line}\n`, stream);
      },
    })
    .catch((error: unknown) => {
      if (!(error instanceof IngotError) || error.code !== 'command-timeout') throw error;
      throw new IngotError('timeout', 'command-timeout', `${what} did not end within ${step.timeout} s in the booted image`, { detail: tail() });
    });
  if (exitCode === 255 && !(await answers(guest))) throw await lost(guest);
  if (exitCode !== 0) throw new IngotError('command', 'command-failed', `${what} ended with exit code ${exitCode}`, { detail: tail() });
}

/** ansible asks for many commands: they share one connection, since each login costs seconds on an emulated processor. */
async function ansibleTarget({ context }: ApplyContext, guest: Guest, undo: AsyncDisposableStack): Promise<Parameters<typeof runPlaybook>[2]> {
  const { host, signal } = context;
  const control = ['-o', `ControlPath=${join(guest.spec.folder, 'm')}`];
  const [ssh, ...words] = sshArguments(guest.spec.name, guest.spec.ssh);
  const master = host.processes.spawn([ssh, '-M', '-N', ...control, ...words]);
  undo.defer(() => master.kill());
  const limit = host.clock.monotonic() + 60_000;
  for (;;) {
    const { exitCode } = await host.processes.run([ssh, '-O', 'check', ...control, ...words], { accept: ANY_EXIT_CODE, signal });
    if (exitCode === 0) break;
    if (host.clock.monotonic() > limit) throw await lost(guest);
    await host.clock.sleep(0.2, signal);
  }
  return {
    temporary: `${BOOTED_FOLDER}/ansible`,
    run: async (command, stdin) => {
      const [, ...rest] = sshCommand(guest.spec.name, guest.spec.ssh, ['/bin/sh', '-c', command]);
      return await host.processes.run([ssh, ...control, ...rest], { stdin, accept: ANY_EXIT_CODE, signal });
    },
  };
}

async function answers(guest: Guest): Promise<boolean> {
  return (await guest.ssh(['true'], { timeout: 120 }).catch(() => ({ exitCode: 255 }))).exitCode === 0;
}

async function lost(guest: Guest): Promise<IngotError> {
  return new IngotError('host', 'guest-lost', 'The booted image can no longer be reached', {
    detail: `The end of the console:\n${await guest.consoleTail(TAIL_LINES)}`,
  });
}

/** Shuts the guest down as its own power button would: what its services hold is written, and its file systems are closed. */
async function shutDown({ context }: ApplyContext, guest: Guest): Promise<void> {
  const timeout = SHUTDOWN_SECONDS[guest.spec.accelerator.kind];
  const stopped = await guest.powerdown({ timeout, signal: context.signal });
  const end = stopped ? await guest.ended : undefined;
  if (end?.exitCode === 0) return;
  throw new IngotError(
    'timeout',
    'shutdown-timeout',
    end === undefined
      ? `The booted image did not shut down within ${timeout} s`
      : `The booted image ended badly (${end.signal ?? `exit code ${end.exitCode}`}) instead of shutting down`,
    { detail: `${end?.stderr ?? ''}\nThe end of the console:\n${await guest.consoleTail(TAIL_LINES)}`.trim() },
  );
}
