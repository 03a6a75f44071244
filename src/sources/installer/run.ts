import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { randomId } from '../../base/host.ts';
import type { Masker } from '../../base/secrets.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { Architecture } from '../../catalog/cloud-image-schema.ts';
import { requireTools } from '../../doctor/install.ts';
import type { Context } from '../../operations/operation.ts';
import { accelerator } from '../../platforms/local/accelerator.ts';
import { randomMac } from '../../platforms/local/create.ts';
import { makeFat } from '../../platforms/local/fat.ts';
import { followLog } from '../../platforms/local/follow.ts';
import { startGuest, type Guest, type GuestEnd, type GuestSpec } from '../../platforms/local/guest.ts';
import { guestFiles, type Accelerator } from '../../platforms/local/guest-spec.ts';
import { makeEmptyDisk } from '../../platforms/local/overlay.ts';
import { withFreePort } from '../../platforms/local/ports.ts';
import { ensureSshKey } from '../../platforms/local/ssh.ts';
import { recordedPorts, ROOT_DISK } from '../../platforms/local/vms.ts';
import type { AnswerDelivery } from './answers/answers.ts';
import { evidenceText, installFailure, type Evidence } from './failure.ts';
import { STAGE_NAMES, STAGES, type InstallerKind, type Stage } from './kinds/kind.ts';
import { InstallMonitor } from './monitor.ts';
import { serveAnswers, type ServedFile } from './serve.ts';
import { InstallWatch } from './watch.ts';

/** An unattended installation to be, with everything that it needs on this host. */
export interface Installation {
  /** What is installed, for people and as the name of its logs. */
  readonly name: string;
  readonly kind: InstallerKind;
  readonly arch: Architecture;
  readonly firmware: 'bios' | 'uefi';
  readonly kernel: HostPath;
  readonly initrd: HostPath;
  /** Besides those for the answers. */
  readonly kernelArguments: readonly string[];
  /** The ISO, which the machine finds in its drive. */
  readonly medium?: HostPath;
  readonly answers: readonly ServedFile[];
  readonly delivery: AnswerDelivery;
  /** Bytes of the disk. */
  readonly diskSize: number;
  /** Values that no log and no error may show. */
  readonly mask: Masker;
}

export interface RunOptions {
  /** The disk to be: a new file. */
  readonly disk: HostPath;
  /** A folder for what is needed while it runs. */
  readonly scratch: HostPath;
  /** A folder of this installation's own, where the console's text and the pictures of the screen are kept. */
  readonly logs: HostPath;
  readonly span: Span;
}

/** The serial console, by the board that QEMU has for an architecture. */
const CONSOLES: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: ['console=tty0', 'console=ttyS0,115200n8'],
  arm64: ['console=tty0', 'console=ttyAMA0'],
};

/** How much more time an emulated processor needs. */
const SLOWNESS: Readonly<Record<Accelerator['kind'], number>> = { kvm: 1, hvf: 1, tcg: 4 };
const POLL_SECONDS = 1;
/** Bytes that even a small system writes to its disk. */
const LEAST_WRITTEN = 16 * 2 ** 20;

/**
 * Installs a system on a new disk: starts the installer's kernel in a machine that ends with this process, serves the answers, and follows what it does until the machine
 * goes off. Throws `install-asks`, `install-timeout`, `install-failed` and the codes of {@link FailureWords}, each with the end of the console and a picture of the
 * screen; `disk-full`; `qemu-failed`.
 */
export async function runInstallation(context: Context, installation: Installation, options: RunOptions): Promise<void> {
  const { host, home, signal } = context;
  const { kind } = installation;
  const { span, logs } = options;
  await requireTools(context, ['qemu-system', 'ssh-keygen']);
  await makeEmptyDisk(host, options.disk, installation.diskSize);
  const runner = await accelerator(context, installation.arch);
  const watch = new InstallWatch({ kind, slowness: SLOWNESS[runner.kind], now: seconds(context) });

  await using undo = new AsyncDisposableStack();
  const answers = undo.use(
    await serveAnswers(installation.answers, randomId(host.random, 8), (name, found) => {
      watch.served(found, seconds(context));
      span.output(`[ingot] the installer asked for ${name}${found ? '' : ', which there is not'}\n`);
    }),
  );
  const spec = await guestSpec(context, installation, options, answers.url, runner);
  const guest = await withFreePort(host, home, { recorded: () => recordedPorts(host, home), signal }, (port) =>
    startGuest(host, { ...spec, ssh: { ...spec.ssh, port } }, { lifetime: 'process', signal }),
  );
  undo.defer(() => guest.kill());
  const monitor = undo.use(await InstallMonitor.open(guest));
  const evidence: Evidence = { installation, logs, watch, picture: (name) => monitor.picture(host, logs, name) };
  const reading = new AbortController();
  const masked = installation.mask.stream();
  const show = (text: string): void => {
    if (text === '') return;
    watch.console(text, seconds(context));
    span.output(text);
  };
  const read = readConsole(context, guest, AbortSignal.any([signal, reading.signal]), (text) => {
    show(masked.push(text));
  });
  // It may end badly before anybody waits for it: interrupted, it is not what failed.
  read.catch(() => undefined);
  undo.defer(async () => await read.catch(() => undefined));
  undo.defer(() => reading.abort());
  undo.defer(() => keepConsole(context, guest, logs, installation.mask));
  const end = await follow(context, guest, monitor, watch, span, evidence);
  await read;
  show(masked.end());
  await checkEnd(end, monitor, watch, evidence);
}

async function guestSpec(
  { host, home }: Context,
  { name, arch, firmware, kernel, initrd, kind, medium, answers, delivery, kernelArguments }: Installation,
  { disk, scratch }: RunOptions,
  url: string,
  runner: Accelerator,
): Promise<GuestSpec> {
  const folder = hostPath(join(scratch, 'guest'));
  await host.files.makeDirectory(folder, 0o700);
  const key = await ensureSshKey(host, home);
  const { words, label } = deliver(delivery, url);
  const seed = hostPath(join(folder, 'answers.img'));
  if (label !== undefined)
    await host.files.write(seed, makeFat(label.toUpperCase(), new Map(answers.map((file) => [file.name, file.content]))), { mode: 0o600 });
  return {
    name: `install-${name}`.slice(0, 60),
    id: crypto.randomUUID(),
    folder,
    arch,
    firmware,
    accelerator: runner,
    // An emulated processor gains nothing from a second one.
    cpus: runner.kind === 'tcg' ? 1 : Math.min(2, host.machine.cpus),
    memory: kind.memory,
    disks: [{ name: ROOT_DISK, chain: [], file: disk }],
    seed: label === undefined ? undefined : seed,
    ...(medium === undefined ? {} : { cdrom: medium }),
    endsAtReboot: true,
    mac: randomMac(host),
    ssh: { port: 0, user: 'root', key: key.path, knownHosts: hostPath(join(folder, 'known_hosts')) },
    kernel: { image: kernel, initrd, append: [...kernelArguments, ...words, ...CONSOLES[arch]].join(' ') },
  };
}

/** HTTP where the installer has it: what was fetched can be seen. */
function deliver({ http, disk }: AnswerDelivery, url: string): { readonly words: readonly string[]; readonly label?: string } {
  if (http !== undefined) return { words: http(url) };
  if (disk !== undefined) return { words: disk.kernelArguments, label: disk.label };
  throw new IngotError('internal', 'answers-undelivered', 'An installer has no way to find its answers');
}

const seconds = ({ host }: Pick<Context, 'host'>): number => host.clock.monotonic() / 1000;

async function readConsole({ host }: Context, guest: Guest, signal: AbortSignal, write: (text: string) => void): Promise<void> {
  let ended = false;
  void guest.ended.then(() => (ended = true));
  await followLog(host, guestFiles(guest.spec.folder).console, { lines: undefined, goOn: () => Promise.resolve(!ended), signal }, write);
}

/** The console as it was, for whoever looks later. */
async function keepConsole({ host }: Context, guest: Guest, logs: HostPath, mask: Masker): Promise<void> {
  const { console: file } = guestFiles(guest.spec.folder);
  if ((await host.files.status(file)) === undefined) return;
  let text = '';
  await followLog(host, file, { lines: undefined, signal: new AbortController().signal }, (part) => (text += part));
  await host.files.write(join(logs, 'console.log'), mask.text(text), { mode: 0o600 });
}

/** Looks at the machine until it has ended. */
async function follow(context: Context, guest: Guest, monitor: InstallMonitor, watch: InstallWatch, span: Span, evidence: Evidence): Promise<GuestEnd> {
  let end: GuestEnd | undefined;
  void guest.ended.then((how) => (end = how));
  let shown: Stage | undefined;
  for (;;) {
    if (end !== undefined) return end;
    const now = seconds(context);
    watch.disks(await monitor.transferred(), now);
    if (monitor.isFull)
      throw new IngotError('space', 'disk-full', `The disk of ${context.home.root} became full while ${evidence.installation.name} was installed`, {
        hint: 'Free some space: `ingot image prune` and `ingot iso remove` help.',
        detail: evidenceText(evidence),
      });
    if (watch.stage !== shown) {
      shown = watch.stage;
      span.progress(STAGES.indexOf(shown), STAGES.length, 'items', STAGE_NAMES[shown]);
      await evidence.picture(`${STAGES.indexOf(shown)}-${shown}`);
    }
    const verdict = watch.verdict(now);
    if (verdict !== undefined) throw await installFailure(verdict, evidence);
    await context.host.clock.sleep(POLL_SECONDS, context.signal);
  }
}

/** A machine that went off by itself has installed something; one that wants to start anew did so only if it had come to the end. */
async function checkEnd(end: GuestEnd, monitor: InstallMonitor, watch: InstallWatch, evidence: Evidence): Promise<void> {
  const { name } = evidence.installation;
  const told = watch.failure;
  const detail = `${end.stderr === '' ? '' : `QEMU said:\n${end.stderr}\n`}${evidenceText(evidence)}`;
  const off = monitor.shutdownReason === 'guest-shutdown' || (monitor.shutdownReason === 'guest-reset' && watch.stage === 'finishing');
  if (off && monitor.written >= LEAST_WRITTEN) return;
  if (told !== undefined) throw await installFailure({ kind: 'failed', ...told }, evidence);
  if (end.exitCode !== 0 && monitor.shutdownReason === undefined) {
    throw new IngotError('host', 'qemu-ended', `QEMU ended (${end.signal ?? `exit code ${end.exitCode}`}) while ${name} was installed`, { detail });
  }
  const how = monitor.shutdownReason === 'guest-reset' ? 'started the machine anew' : 'switched the machine off';
  throw new IngotError('command', 'install-failed', `The installer of ${name} ${how} before it was done (stage: ${STAGE_NAMES[watch.stage]})`, {
    detail,
  });
}
