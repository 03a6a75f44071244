import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { randomId } from '../base/host.ts';
import { makeScratch } from '../base/scratch.ts';
import { hostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { accelerator } from '../platforms/local/accelerator.ts';
import { startGuest, type Guest, type GuestSpec } from '../platforms/local/guest.ts';
import type { Architecture, Firmware } from '../platforms/local/guest-spec.ts';
import { makeOverlay } from '../platforms/local/overlay.ts';
import { randomMac, sshPortOf } from '../platforms/local/create.ts';
import { withFreePort } from '../platforms/local/ports.ts';
import { makeSeed, seedContent } from '../platforms/local/seed.ts';
import { ensureSshKey } from '../platforms/local/ssh.ts';
import { recordedPorts, ROOT_DISK } from '../platforms/local/vms.ts';
import type { Image } from '../store/model.ts';
import { layerPaths } from '../store/store.ts';
import type { ResolvedTest } from '../template/template.ts';
import { CHECKS } from './checks/index.ts';
import { rootGrown } from './checks/root-grown.ts';
import { FAILED_SERVICES } from './failed-services.ts';
import { combinedScript, failedBoot, readAnswers, type CheckResult } from './script.ts';
import { templateChecks, TEST_SECONDS } from './template-tests.ts';

export interface BootOptions {
  readonly arch: Architecture;
  readonly firmware: Firmware;
  /** Start it a second time, and see that it comes back. */
  readonly reboot: boolean;
  /** The template's, run beside the built-in checks. */
  readonly tests: readonly ResolvedTest[];
  readonly span: Span;
}

export interface BootReport {
  readonly checks: readonly CheckResult[];
  /** What tells this machine from its clones, by name; empty where it could not be asked. */
  readonly identity: Readonly<Record<string, string>>;
}

/** What the guest's disk has more than the image's, to see that the root grows. */
const GROWTH = 2 * 2 ** 30;
const MEMORY = 2 ** 30;
/** Seconds for the checks in the guest, cloud-init's end included; emulation is slow. */
const CHECK_SECONDS = { kvm: 180, hvf: 180, tcg: 900 } as const;

/** Boots a throw-away clone of the image and runs the guest's checks in it. A guest that does not come up has failed the check `boot`, with its console's end as the reason. */
export async function bootAndCheck(context: Context, image: Image, options: BootOptions): Promise<BootReport> {
  const { host, home, signal } = context;
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await makeScratch(host, home, 'the gate, booting'));
  const hostname = `gate-${randomId(host.random, 3)}`;
  const spec = await guestSpec(context, image, options, hostname, scratch.path);
  const guest = await withFreePort(host, home, { recorded: () => recordedPorts(host, home), signal }, async (port) =>
    startGuest(host, { ...spec, ssh: { ...spec.ssh, port } }, { lifetime: 'process', signal }),
  );
  undo.defer(() => guest.kill());
  try {
    await guest.waitForSsh({ signal, onWait: (what) => options.span.progress(0, undefined, 'items', `waiting for ${what}`) });
    const checks = await runGuestChecks(guest, image, options, hostname);
    const identity = await readIdentity(guest, image);
    return { checks: [{ name: 'boot', result: 'passed' }, ...checks, ...(options.reboot ? [await reboot(guest, context)] : [])], identity };
  } catch (error) {
    if (signal.aborted || !(error instanceof IngotError) || !['ssh-timeout', 'qemu-ended', 'command-timeout'].includes(error.code)) throw error;
    return { checks: [failedBoot(error)], identity: {} };
  }
}

async function guestSpec(context: Context, image: Image, { arch, firmware }: BootOptions, hostname: string, folder: GuestSpec['folder']): Promise<GuestSpec> {
  const { host, home } = context;
  const details = image.config['dev.ingot.image'];
  const key = await ensureSshKey(host, home);
  const chain = layerPaths(home, image);
  const base = chain.at(-1);
  if (base === undefined) throw new IngotError('internal', 'image-empty', 'The image has no layers');
  const disk = hostPath(join(folder, 'disk.qcow2'));
  await makeOverlay(host, disk, base, details.disk.size + GROWTH);
  const seed = hostPath(join(folder, 'seed.img'));
  await makeSeed(host, seed, seedContent({ instanceId: hostname, hostname, publicKey: key.publicKey }));
  return {
    name: hostname,
    id: crypto.randomUUID(),
    folder,
    arch,
    firmware,
    accelerator: await accelerator({ host, home }, arch),
    cpus: Math.min(2, host.machine.cpus),
    memory: MEMORY,
    disks: [{ name: ROOT_DISK, chain, file: disk }],
    seed,
    mac: randomMac(host),
    ssh: { port: 0, ...sshPortOf(image), user: details.defaultUser, key: key.path, knownHosts: hostPath(join(folder, 'known_hosts')) },
  };
}

async function runGuestChecks(guest: Guest, image: Image, { firmware, tests }: BootOptions, hostname: string): Promise<CheckResult[]> {
  const { disk, guest: settings } = image.config['dev.ingot.image'];
  // A root with something behind it, or in a logical volume, stays as it is.
  const suite = CHECKS.filter((check) => check.where === 'guest' && (check !== rootGrown || disk.grows !== false));
  const checks = [...suite, ...templateChecks(tests)];
  const script = combinedScript(checks, {
    INGOT_HOSTNAME: settings?.hostname ?? hostname,
    INGOT_FIRMWARE: firmware === 'bios' ? 'bios' : 'uefi',
  });
  const { stdout } = await guest.ssh(['sudo', 'sh'], { stdin: script, timeout: CHECK_SECONDS[guest.spec.accelerator.kind] + tests.length * TEST_SECONDS });
  return readAnswers(checks, stdout);
}

const IDENTITY = `
printf 'machine-id %s\\n' "$(cat /etc/machine-id)"
for file in /etc/ssh/ssh_host_*_key.pub; do printf '%s %s\\n' "$(basename "$file")" "$(cut -d ' ' -f 2 "$file")"; done
printf 'hostname %s\\n' "$(hostname)"
printf 'random %s\\n' "$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' ')"
`;

async function readIdentity(guest: Guest, image: Image): Promise<Record<string, string>> {
  const { stdout } = await guest.ssh(['sudo', 'sh'], { stdin: IDENTITY, timeout: 120 });
  const identity = Object.fromEntries(
    stdout.split('\n').flatMap((line) => (line.includes(' ') ? [[line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]] : [])),
  );
  // A template can want one name for all.
  if (image.config['dev.ingot.image'].guest?.hostname !== undefined) delete identity['hostname'];
  return identity;
}

/** Seconds between looks whether the guest is back. */
const LOOK_AGAIN = 2;

async function reboot(guest: Guest, context: Context): Promise<CheckResult> {
  const bootId = async (): Promise<string> => (await guest.ssh(['cat', '/proc/sys/kernel/random/boot_id'], { timeout: 120 })).stdout.trim();
  const before = await bootId();
  await guest.ssh(['sudo', 'reboot'], { timeout: 120 });
  // The old system answers until it goes down: only another boot's identifier shows that it came back.
  for (let after = before; after === before || after === '';) {
    await context.host.clock.sleep(LOOK_AGAIN, context.signal);
    await guest.waitForSsh({ signal: context.signal });
    after = await bootId();
  }
  const { stdout } = await guest.ssh(['sudo', 'sh'], { stdin: FAILED_SERVICES, timeout: 120 });
  return stdout.trim() === '' ? { name: 'reboot', result: 'passed' } : { name: 'reboot', result: 'failed', detail: `after a reboot:\n${stdout.trim()}` };
}
