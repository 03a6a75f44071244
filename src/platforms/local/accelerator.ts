import { join } from 'node:path';
import * as z from 'zod';
import { toIngotError, IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import { takeLock } from '../../base/lock.ts';
import type { Argv } from '../../base/process.ts';
import { findProgram } from '../../base/programs.ts';
import { makeScratch } from '../../base/scratch.ts';
import { qemuPackage } from '../../doctor/tools.ts';
import type { Context } from '../../operations/operation.ts';
import type { Accelerator, Architecture } from './guest-spec.ts';
import { PROBE_EXIT_CODE, PROBE_EXIT_PORT, probeDisk } from './probe-sector.ts';
import { acceleratorArguments, qemuProgram } from './qemu-arguments.ts';

/** Seconds for a guest that takes well below one with hardware assistance, and about one when QEMU translates it. */
const PROBE_SECONDS = 5;

/** What the probe needs; `events` says so where it falls back to emulation. */
export type AcceleratorContext = Pick<Context, 'host' | 'home'> & Partial<Pick<Context, 'events' | 'signal'>>;

const memorySchema = z.object({
  v: z.literal(1),
  /** What the verdicts depend on: this boot of the host, and the file of QEMU. */
  verdicts: z.record(z.string(), z.object({ usable: z.boolean(), proven: z.boolean(), reason: z.string() })),
});
type Verdicts = z.output<typeof memorySchema>['verdicts'];

/**
 * Finds out what runs guests of an architecture fast, by running one for a moment. The verdict is remembered for this boot of the host and this
 * QEMU. Falls back to emulation, and says so once per call. Throws `qemu-missing`.
 */
export async function accelerator(context: AcceleratorContext, arch: Architecture = hostArchitecture(context.host)): Promise<Accelerator> {
  const found = await choose(context, arch);
  if (found.kind === 'tcg') context.events?.message('warn', `Software emulation (TCG), which is slow: ${found.reason}`);
  return found;
}

/** The architecture whose guests need no translation; amd64 on hosts that are neither. */
export function hostArchitecture(host: Pick<Host, 'machine'>): Architecture {
  return host.machine.arch === 'arm64' ? 'arm64' : 'amd64';
}

async function choose(context: AcceleratorContext, arch: Architecture): Promise<Accelerator> {
  const { host } = context;
  const qemu = await qemuFile(host, arch);
  const emulation = (reason: string): Accelerator => ({ kind: 'tcg', proven: true, reason });
  if (host.machine.arch !== arch) return emulation(`an ${arch} guest on an ${host.machine.arch} host has to be emulated`);
  if (host.machine.platform !== 'linux' && host.machine.platform !== 'darwin') return emulation(`no accelerator is known for ${host.machine.platform}`);
  const kind = host.machine.platform === 'linux' ? 'kvm' : 'hvf';
  if (kind === 'kvm' && (await host.files.status('/dev/kvm')) === undefined) {
    return emulation('/dev/kvm is not there: virtualisation is off in the firmware, the kvm module is not loaded, or this is a VM without nesting');
  }
  const verdict = await remembered(context, `${kind} ${arch} ${await bootId(host)} ${qemu}`, () =>
    arch === 'amd64' ? runGuest(context, kind) : openOnly(context, kind, arch),
  );
  return verdict.usable ? { kind, proven: verdict.proven, reason: verdict.reason } : emulation(verdict.reason);
}

interface Verdict {
  readonly usable: boolean;
  readonly proven: boolean;
  readonly reason: string;
  /** A user can mend it during this boot of the host (rights, a module), or it is no fact of the host at all. */
  readonly passing: boolean;
}

/** Runs the probe: long mode and enough work to tell hardware from an interpreter. */
async function runGuest(context: AcceleratorContext, kind: 'kvm' | 'hvf'): Promise<Verdict> {
  const { host, home, signal } = context;
  await using scratch = await makeScratch(host, home, 'accelerator probe');
  const disk = join(scratch.path, 'probe.raw');
  await host.files.write(disk, probeDisk());
  const argv: Argv = [
    qemuProgram('amd64'),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-machine', 'q35', ...acceleratorArguments({ kind }), '-m', '32M'],
    ...['-blockdev', JSON.stringify({ driver: 'raw', 'node-name': 'disk', 'read-only': true, file: { driver: 'file', filename: disk } })],
    ...['-device', 'virtio-blk-pci,drive=disk,bootindex=0', '-device', `isa-debug-exit,iobase=${PROBE_EXIT_PORT},iosize=4`],
  ];
  return await judge(kind, `a 64-bit guest ran with ${kind.toUpperCase()}`, true, () =>
    host.processes.run(argv, { timeout: PROBE_SECONDS, accept: [PROBE_EXIT_CODE], ...(signal === undefined ? {} : { signal }) }).then((result) => {
      if (result.exitCode !== PROBE_EXIT_CODE) throw new IngotError('host', 'accelerator-broken', 'the test guest ended without a result');
    }),
  );
}

/** Opens the accelerator with a paused machine: all that is proven where there is no test guest for the architecture. */
async function openOnly(context: AcceleratorContext, kind: 'kvm' | 'hvf', arch: Architecture): Promise<Verdict> {
  const { host, signal } = context;
  const argv: Argv = [
    qemuProgram(arch),
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-S',
    '-machine',
    'virt',
    ...acceleratorArguments({ kind }),
    '-monitor',
    'stdio',
  ];
  return await judge(kind, `QEMU opened ${kind.toUpperCase()}; no guest was run to prove it`, false, () =>
    host.processes.run(argv, { timeout: PROBE_SECONDS, stdin: 'quit\n', ...(signal === undefined ? {} : { signal }) }),
  );
}

async function judge(kind: 'kvm' | 'hvf', success: string, proven: boolean, work: () => Promise<unknown>): Promise<Verdict> {
  try {
    await work();
    return { usable: true, proven, reason: success, passing: false };
  } catch (error) {
    const failure = toIngotError(error);
    if (failure.code === 'interrupted') throw failure;
    if (failure.code === 'command-timeout') {
      const reason = `${kind.toUpperCase()} opens, but a test guest did not get through within ${PROBE_SECONDS} s: the host gives this machine no hardware assistance`;
      return { usable: false, proven: false, reason, passing: false };
    }
    const said = (failure.detail ?? failure.message).trim().split('\n').at(-1) ?? '';
    return { usable: false, proven: false, reason: `${kind.toUpperCase()} cannot be used: ${said.replace(/^qemu-system-\w+: /, '')}`, passing: true };
  }
}

/** Looks the verdict up, or comes to one while others wait for it. */
async function remembered(context: AcceleratorContext, key: string, probe: () => Promise<Verdict>): Promise<Verdict> {
  const { host, home } = context;
  const known = (await readVerdicts(host, home.accelerator))[key];
  if (known !== undefined) return { ...known, passing: false };
  await using _lock = await takeLock(host, home, 'accelerator', {
    what: 'accelerator probe',
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  const meanwhile = (await readVerdicts(host, home.accelerator))[key];
  if (meanwhile !== undefined) return { ...meanwhile, passing: false };
  const verdict = await probe();
  // Only this boot's verdicts are worth keeping; a wrong right or a missing module is looked at anew each time.
  const { passing, ...lasting } = verdict;
  if (!passing) await replaceFile(host.files, home.accelerator, JSON.stringify({ v: 1, verdicts: { [key]: lasting } }));
  return verdict;
}

async function readVerdicts(host: Pick<Host, 'files'>, path: string): Promise<Verdicts> {
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) return {};
  try {
    return memorySchema.parse(JSON.parse(text)).verdicts;
  } catch {
    return {}; // A cache: what cannot be read is found out again.
  }
}

/** The file of QEMU with its size and date, which change with its version. Throws `qemu-missing`. */
export async function qemuFile(host: Pick<Host, 'files' | 'machine'>, arch: Architecture): Promise<string> {
  const program = qemuProgram(arch);
  const path = await findProgram(host, program);
  const status = path === undefined ? undefined : await host.files.status(path);
  if (status !== undefined) return `${path} ${status.size} ${status.modified.getTime()}`;
  if (arch === hostArchitecture(host)) {
    throw new IngotError('host', 'qemu-missing', `The program ${program} is not installed`, { hint: 'Run `ingot setup` to install what is missing.' });
  }
  throw new IngotError('host', 'qemu-missing', `The program ${program}, which emulates ${arch} machines, is not installed`, {
    hint: `Install ${qemuPackage(arch)} (Debian, Ubuntu), or use an image for ${hostArchitecture(host)}, which runs faster here.`,
  });
}

/** Names this boot of the host. */
export async function bootId(host: Host): Promise<string> {
  if (host.machine.platform === 'linux') return (await readTextIfThere(host.files, '/proc/sys/kernel/random/boot_id'))?.trim() ?? 'unknown';
  return (await host.processes.run(['sysctl', '-n', 'kern.bootsessionuuid'])).stdout.trim();
}
