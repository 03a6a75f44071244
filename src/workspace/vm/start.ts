import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { IngotError, toIngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import { takeLock } from '../../base/lock.ts';
import { formatSize, hostPath, type HostPath } from '../../base/types.ts';
import { accelerator, hostArchitecture } from '../../platforms/local/accelerator.ts';
import { consoleText } from '../../platforms/local/console-text.ts';
import { launch, qemuLog, type Launched } from '../../platforms/local/launch.ts';
import { QmpClient } from '../../platforms/local/qmp.ts';
import { hasRamState, ramStateKey, removeRamState, restoreRamState, saveRamState } from '../../platforms/local/ram-state.ts';
import { HelperExecutor } from '../helper-executor.ts';
import { ensureHelperImage, type VmContext } from './helper-image.ts';
import { FOLDER_INSIDE } from './init.ts';
import { vmArguments, vmFiles, vmShape, vmSize, type VmFiles, type VmSpec } from './machine.ts';
import { shellCommand } from './shell.ts';

/** Seconds for the VM to boot; under emulation it takes some twenty. */
const BOOT_SECONDS = 300;
const REFRESH_SECONDS = 120;
const TAIL_LINES = 20;

/** A helper VM that runs and takes commands. Ends with this process, however that ends. */
export interface HelperVm extends AsyncDisposable {
  readonly executor: HelperExecutor;
  readonly qmp: QmpClient;
  /** How it came to be. */
  readonly started: 'resumed' | 'booted';
  /** Resolves when it has the right time and random numbers of its own: before anything counts that is done there. */
  readonly fresh: Promise<void>;
  /** What its console and QEMU said last. */
  lastWords(): Promise<string>;
}

export interface StartOptions {
  /** A scratch folder of this process. */
  readonly scratch: HostPath;
  readonly offline: boolean;
  /** Boots it, whether or not there is a saved state. */
  readonly boot?: boolean;
}

/**
 * Starts the helper VM: from its saved RAM, which takes about a second, else by booting it, after which its RAM is saved for the next
 * time. A saved state that QEMU refuses is said, and replaced. Throws what making the VM throws, `qemu-failed`, `workspace-lost`.
 */
export async function startHelperVm(context: VmContext, options: StartOptions): Promise<HelperVm> {
  const { host } = context;
  const image = await ensureHelperImage(context, options);
  const arch = hostArchitecture(host);
  // Without events: that it falls back to emulation is worth no warning here, where that is quick too.
  const { kind } = await accelerator({ host, home: context.home, signal: context.signal }, arch);
  const spec: VmSpec = { arch, accelerator: { kind }, ...vmSize(host.machine), files: image };
  if (options.boot === true) return await boot(context, spec, options.scratch);
  const key = await ramStateKey(host, { arch, accelerator: { kind }, machine: [vmShape(spec), image.key] });
  const state = hostPath(join(image.folder, `ram-${key}`));
  const ready = await resumeIfSaved(context, spec, options.scratch, state);
  if (ready !== undefined) return ready;
  await using _lock = await takeLock(host, context.home, `helper-ram-${key}`, {
    what: 'starting the helper VM for the first time',
    signal: context.signal,
    onWait: (owner) => context.events.message('info', `Waiting for process ${owner?.pid ?? '?'}, which is starting the helper VM for the first time.`),
  });
  const meanwhile = await resumeIfSaved(context, spec, options.scratch, state);
  if (meanwhile !== undefined) return meanwhile;
  return await bootAndSave(context, spec, options.scratch, state);
}

async function resumeIfSaved(context: VmContext, spec: VmSpec, scratch: HostPath, state: HostPath): Promise<HelperVm | undefined> {
  const { host, events } = context;
  const saved = await hasRamState(host, state);
  if (saved === 'missing') return undefined;
  if (saved === 'changed') {
    events.message('warn', 'The saved state of the helper VM is damaged; booting it instead.');
    await removeRamState(host, state);
    return undefined;
  }
  try {
    return await resume(context, spec, scratch, state);
  } catch (error) {
    if (context.signal.aborted) throw error;
    events.message('warn', `The helper VM could not be resumed (${toIngotError(error).message}); booting it instead.`);
    await removeRamState(host, state);
    return undefined;
  }
}

async function resume(context: VmContext, spec: VmSpec, scratch: HostPath, state: HostPath): Promise<HelperVm> {
  await using undo = new AsyncDisposableStack();
  const machine = undo.use(await Machine.start(context, spec, scratch, state));
  await restoreRamState(context.host, machine.qmp, state, { signal: context.signal });
  const executor = machine.executor();
  const fresh = refresh(context, executor);
  fresh.catch(() => undefined); // awaited where the first disk is added
  undo.move();
  return machine.vm('resumed', executor, fresh);
}

/** A resumed machine believes that it is the time of its saving, and shares its random numbers with others: both are made its own. */
async function refresh({ host }: VmContext, executor: HelperExecutor): Promise<void> {
  // RNDADDENTROPY and RNDRESEEDCRNG (random(4)); 512 bits in 64 bytes.
  const perl =
    'open F, ">", "/dev/urandom" or die; $b = pack("H*", <STDIN>); ioctl(F, 0x40085203, pack("iia*", 512, 64, $b)) or die; ioctl(F, 0x5207, 0) or die';
  const now = (host.clock.now().getTime() / 1000).toFixed(3);
  await Promise.all([
    executor.run(['date', '-u', '-s', `@${now}`], { timeout: REFRESH_SECONDS }),
    executor.run(['perl', '-e', perl], { stdin: Buffer.from(host.random.bytes(64)).toString('hex'), timeout: REFRESH_SECONDS }),
  ]);
}

async function boot(context: VmContext, spec: VmSpec, scratch: HostPath): Promise<HelperVm> {
  await using undo = new AsyncDisposableStack();
  const machine = undo.use(await Machine.start(context, spec, scratch, undefined));
  const vm = machine.vm('booted', machine.executor(), Promise.resolve());
  try {
    await vm.executor.run(['true'], { timeout: BOOT_SECONDS });
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'command-timeout') throw error;
    throw new IngotError('timeout', 'helper-silent', `The helper VM did not start within ${BOOT_SECONDS} s`, { detail: await vm.lastWords() });
  }
  undo.move();
  return vm;
}

async function bootAndSave(context: VmContext, spec: VmSpec, scratch: HostPath, state: HostPath): Promise<HelperVm> {
  const { host, events } = context;
  const span = events.span('layer', 'helper VM: first start');
  try {
    const vm = await boot(context, spec, scratch);
    try {
      await vm.executor.run(['sh', '-c', WARM_UP], { timeout: BOOT_SECONDS });
      const size = await saveRamState(host, vm.qmp, state, { socket: vmFiles(join(scratch, 'vm')).state, signal: context.signal });
      events.message('debug', `The helper VM's state was saved: ${formatSize(size)}.`);
      await removeOtherStates(context, state);
    } catch (error) {
      if (context.signal.aborted) throw error;
      events.message('warn', `The helper VM's state could not be saved (${toIngotError(error).message}); its next start boots it again.`);
    }
    await vm.qmp.execute('cont', undefined, 60);
    span.end('done');
    return vm;
  } catch (error) {
    span.end('failed');
    throw error;
  }
}

/** Runs once what every workspace runs, so that it is in the saved memory. */
const WARM_UP = `
for program in partx blkid mount umount mountpoint nsenter unshare bwrap mktemp readlink sync date tar dpkg stat cat mkdir; do "$program" --version; done
perl -e 1
unshare --mount nsenter --mount=/proc/self/ns/mnt true
bwrap --bind / / --dev /dev --proc /proc --unshare-pid --unshare-ipc --unshare-uts --unshare-net --tmpfs /tmp --cap-drop ALL true
mktemp -d ${FOLDER_INSIDE}/root-XXXXXX
true`;

/** States of other QEMUs and machines of this helper VM are of no use any more. */
async function removeOtherStates({ host }: VmContext, state: HostPath): Promise<void> {
  const folder = join(state, '..');
  for (const name of await host.files.list(folder)) {
    const path = hostPath(join(folder, name));
    if (/^ram-[0-9a-f]+$/.test(name) && path !== state) await removeRamState(host, path);
  }
}

/** QEMU with its connections. */
class Machine implements AsyncDisposable {
  readonly qmp: QmpClient;
  readonly #context: VmContext;
  readonly #files: VmFiles;
  readonly #launched: Launched;
  readonly #helper: Socket;
  #end = '';

  private constructor(context: VmContext, files: VmFiles, launched: Launched, helper: Socket, qmp: QmpClient) {
    this.#context = context;
    this.#files = files;
    this.#launched = launched;
    void launched.ended.then(
      ({ exitCode, signal }) => (this.#end = signal === undefined ? `QEMU ended with exit code ${exitCode}.` : `QEMU was ended by ${signal}.`),
    );
    this.#helper = helper;
    this.qmp = qmp;
  }

  static async start(context: VmContext, spec: VmSpec, scratch: HostPath, state: HostPath | undefined): Promise<Machine> {
    const { host, signal } = context;
    const folder = join(scratch, 'vm');
    await host.files.makeDirectory(folder, 0o700);
    const files = vmFiles(folder);
    const argv = vmArguments(spec, files, { sandbox: host.machine.platform === 'linux', incoming: state !== undefined });
    await using undo = new AsyncDisposableStack();
    const launched = await launch(host, files, argv, 'process', { signal, ...(state === undefined ? {} : { input: state }) });
    undo.defer(async () => {
      host.processes.signal(launched.pid, 'SIGKILL');
      await launched.ended;
    });
    // Before the guest runs: it takes a port that nobody listens at for one that has been closed.
    const helper = await connected(files.helper);
    undo.defer(() => void helper.destroy());
    const qmp = undo.use(await QmpClient.connect(files.qmp, BOOT_SECONDS));
    await untilAccepted(context, qmp);
    const machine = new Machine(context, files, launched, helper, qmp);
    undo.move();
    return machine;
  }

  executor(): HelperExecutor {
    const connection = {
      input: this.#helper,
      output: this.#helper,
      ended: Promise.race([this.#launched.ended, new Promise((resolve) => this.#helper.once('close', resolve))]),
      lastWords: () => this.lastWords(),
      terminalCommand: shellCommand(this.#files.shell),
      close: () => this[Symbol.asyncDispose](),
    };
    return new HelperExecutor(connection, this.#context.signal);
  }

  vm(started: HelperVm['started'], executor: HelperExecutor, fresh: Promise<void>): HelperVm {
    return { executor, fresh, qmp: this.qmp, started, lastWords: () => this.lastWords(), [Symbol.asyncDispose]: () => this[Symbol.asyncDispose]() };
  }

  async lastWords(): Promise<string> {
    const { files } = this.#context.host;
    const said = consoleText((await readTextIfThere(files, this.#files.console)) ?? '');
    return [said, await qemuLog(this.#context.host, this.#files.log), this.#end].join('\n').trim().split('\n').slice(-TAIL_LINES).join('\n');
  }

  /** Pulls the plug: what counts has been detached before. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.qmp.close();
    this.#helper.destroy();
    this.#context.host.processes.signal(this.#launched.pid, 'SIGKILL');
    await this.#launched.ended;
  }
}

async function connected(path: HostPath): Promise<Socket> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

const chardevsSchema = z.array(z.object({ label: z.string(), filename: z.string() }));

/** Waits until QEMU has taken the helper's connection. */
async function untilAccepted({ signal }: VmContext, qmp: QmpClient): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const chardevs = chardevsSchema.parse(await qmp.execute('query-chardev'));
    if (chardevs.some(({ label, filename }) => label === 'helper' && !filename.startsWith('disconnected:'))) return;
    await sleep(5, undefined, { signal });
  }
  throw new IngotError('timeout', 'qemu-silent', "QEMU did not take the helper's connection within 5 s");
}
