import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { guestChecks, inGuest, ownTests, timed, waitForLogin, type TrialGuest } from '../guest-login.ts';
import type { GuestTests, PlatformContext, TargetCheck } from '../platform.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import { powerTo, vmThat } from './instances.ts';
import { REQUESTS } from './requests.ts';

const GIB = 2 ** 30;
/** Of the disk that the root file system has to fill at least: the rest is for boot loader, EFI and the file system's own. */
const FILLED = 0.85;

/** What only a login shows, in this order. Without one, all of it is not run. */
export const NOT_INSIDE = ['login', 'cloud-init', 'hostname', 'grown root', 'reboot', 'password reset'] as const;

export interface Inside {
  readonly vm: CsVm;
  readonly guest: TrialGuest;
  readonly facts: PlaceFacts;
  /** GiB that the root disk was given. */
  readonly grown: number;
  readonly tests: GuestTests | undefined;
  readonly span: Span | undefined;
}

/** Looks from inside. Once a check has failed, those that stand on it are not run. */
export async function lookInside(context: PlatformContext, client: CloudStackClient, inside: Inside): Promise<TargetCheck[]> {
  const { guest, vm, facts, grown, span } = inside;
  const checks = await guestChecks(context, guest, span);
  if (checks[0]?.result !== 'passed') return [...checks, ...notRun(NOT_INSIDE.slice(checks.length), 'one could not log in')];
  const run = (command: readonly string[]) => inGuest(context, guest, command);
  const check = async (what: string, work: () => Promise<string | undefined>): Promise<void> => {
    checks.push(await timed(context, what, span, () => asProblem(work)));
  };
  await check('hostname', async () => {
    const found = (await run(['hostname'])).stdout.trim().split('.')[0];
    return found === vm.name ? undefined : `the instance is called ${vm.name}, and says that it is ${found === '' ? 'nothing' : (found ?? '')}`;
  });
  await check('grown root', async () => {
    const { stdout } = await run(['df', '-k', '--output=size', '/']);
    const size = (Number(stdout.trim().split(/\s+/).at(-1)) * 1024) / GIB;
    return size >= grown * FILLED
      ? undefined
      : `the root disk has ${grown} GiB, and the root file system ${Number.isNaN(size) ? 'cannot be read' : `${size.toFixed(1)} GiB`}`;
  });
  checks.push(...(await ownTests(context, guest, inside.tests, span)));
  await check('reboot', () => reboot(context, client, inside));
  if (checks.at(-1)?.result !== 'passed') return [...checks, ...notRun(['password reset'], 'it did not come up again')];
  if (!facts.passwordEnabled) return [...checks, ...notRun(['password reset'], 'the template has no passwords')];
  await check('password reset', () => resetPassword(context, client, inside));
  return checks;
}

function notRun(names: readonly string[], detail: string): TargetCheck[] {
  return names.map((name) => ({ name, result: 'not-run', detail }));
}

/** A job that failed is what is wrong; a server that cannot be reached is not. */
async function asProblem(work: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof IngotError) || ['server-unreachable', 'connection-lost', 'interrupted'].includes(error.code)) throw error;
    return error.message;
  }
}

/** Which boot the guest is in. */
const BOOT_ID = ['cat', '/proc/sys/kernel/random/boot_id'];

async function reboot(context: PlatformContext, client: CloudStackClient, { vm, guest }: Inside): Promise<string | undefined> {
  const before = (await inGuest(context, guest, BOOT_ID)).stdout.trim();
  await client.work(REQUESTS.rebootVm(vm.id), { what: `rebooting ${vm.name}`, look: () => vmThat(client, vm.name, 'Running') });
  const problem = await waitForLogin(context, guest);
  if (problem !== undefined) return problem;
  return (await inGuest(context, guest, BOOT_ID)).stdout.trim() === before ? 'it is in the same boot as before' : undefined;
}

/**
 * A new password arrives in the guest: what the system keeps of it is another one then. The password itself is not looked at, so it is nowhere. The key is
 * set anew with it by CloudStack, so the login also shows that this one is still taken.
 */
async function resetPassword(context: PlatformContext, client: CloudStackClient, { vm, guest }: Inside): Promise<string | undefined> {
  const kept = async (): Promise<string> => (await inGuest(context, guest, ['sudo', '-n', 'getent', 'shadow', guest.access.user])).stdout.split(':')[1] ?? '';
  const before = await kept();
  await powerTo(client, vm, 'Stopped');
  await client.work(REQUESTS.resetPassword(vm.id), { what: `resetting the password of ${vm.name}`, look: () => Promise.resolve(true) });
  await powerTo(client, vm, 'Running');
  const problem = await waitForLogin(context, guest);
  if (problem !== undefined) return problem;
  const after = await kept();
  return after === before || after === '' || /^[!*]/.test(after) ? `the password of ${guest.access.user} is not set by the reset` : undefined;
}
