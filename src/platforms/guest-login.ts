import type { Span } from '../base/events.ts';
import type { SshAccess } from './local/guest-spec.ts';
import { addressOf, ANY_EXIT_CODE, patientLimit, sshCommand } from './local/ssh.ts';
import { IngotError } from '../base/errors.ts';
import type { GuestTests, PlatformContext, TargetCheck } from './platform.ts';

/** Seconds until a login has to work where the guest does nothing meanwhile, and cloud-init has to have ended. */
const [LOGIN_LIMIT, CLOUD_INIT_LIMIT] = [180, 600];
const PAUSE = 3;
/** Seconds for a command that looks at something. */
const COMMAND_LIMIT = 60;

/** A guest that one is to log in to. */
export interface TrialGuest {
  readonly name: string;
  readonly access: SshAccess;
  /** Whether it does something, as far as the platform tells: while it does, a login is waited for longer. One that is emulated takes many times as long. */
  readonly stillBusy?: () => Promise<boolean>;
}

/** What only a login shows: that one is let in, and that cloud-init has ended without an error. */
export async function guestChecks(context: PlatformContext, guest: TrialGuest, span: Span | undefined): Promise<TargetCheck[]> {
  const { name, access } = guest;
  const login = await timed(context, 'login', span, () => waitForLogin(context, guest));
  if (login.result !== 'passed') return [login, { name: 'cloud-init', result: 'not-run', detail: 'one could not log in' }];
  const cloudInit = await timed(context, 'cloud-init', span, async () => {
    // Its exit codes: 1 for an error, 2 for one that it recovered from.
    const argv = sshCommand(name, access, ['cloud-init', 'status', '--wait', '--long']);
    const { exitCode, stdout, stderr } = await context.host.processes.run(argv, { accept: ANY_EXIT_CODE, timeout: CLOUD_INIT_LIMIT, signal: context.signal });
    if (exitCode === 0) return undefined;
    // An image without it, as Alpine's tiny ones are.
    if (exitCode === 127) return undefined;
    return `cloud-init status: exit code ${exitCode}\n${(stdout + stderr).trim().slice(-2000)}`;
  });
  return [login, cloudInit];
}

/** Runs an image's own tests in a guest that one can log in to. What kept them from running, or from ending, is a failure of those that said nothing. */
export async function ownTests(context: PlatformContext, to: TrialGuest, tests: GuestTests | undefined, span: Span | undefined): Promise<TargetCheck[]> {
  if (tests === undefined) return [];
  const shown = span?.child('check', 'tests of the template');
  const { output, trouble } = await outputOf(context, to, tests);
  const checks = tests
    .read(output)
    .map((check): TargetCheck => (check.result === 'not-run' ? { ...check, result: 'failed', detail: trouble ?? check.detail } : check));
  shown?.end(checks.every(({ result }) => result === 'passed') ? 'done' : 'failed');
  return checks;
}

async function outputOf(
  context: PlatformContext,
  to: TrialGuest,
  { script, limit }: GuestTests,
): Promise<{ readonly output: string; readonly trouble?: string }> {
  try {
    const { exitCode, stdout, stderr } = await inGuest(context, to, ['sudo', '-n', 'sh'], { timeout: limit, stdin: script });
    if (exitCode === 0) return { output: stdout };
    return { output: stdout, trouble: `the tests ended with exit code ${exitCode}\n${stderr.trim().slice(-2000)}` };
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'command-timeout') throw error;
    return { output: '', trouble: `the tests did not end within ${limit} s` };
  }
}

/** Tries until a login works; returns what is wrong when the time is over. */
export async function waitForLogin({ host, signal }: PlatformContext, { name, access, stillBusy }: TrialGuest): Promise<string | undefined> {
  const start = host.clock.monotonic();
  let limit = LOGIN_LIMIT;
  for (;;) {
    const { exitCode, stderr } = await host.processes.run(sshCommand(name, access, ['true']), { accept: ANY_EXIT_CODE, signal });
    if (exitCode === 0) return undefined;
    const waited = (host.clock.monotonic() - start) / 1000;
    limit = await patientLimit(limit, { wanted: LOGIN_LIMIT, waited, stillBusy });
    if (waited > limit) {
      const last = stderr.trim().split('\n').at(-1) ?? '';
      return `no login as ${access.user} at ${addressOf(access)} within ${Math.round(waited)} s: ${last}. If this host cannot reach that network, run ingot where it can, or give --no-ssh`;
    }
    await host.clock.sleep(PAUSE, signal);
  }
}

/** Runs a command in a guest; whatever its exit code. */
export async function inGuest(
  { host, signal }: Pick<PlatformContext, 'host' | 'signal'>,
  to: TrialGuest,
  command: readonly string[],
  { timeout = COMMAND_LIMIT, stdin }: { readonly timeout?: number; readonly stdin?: string } = {},
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const argv = sshCommand(to.name, to.access, command);
  return await host.processes.run(argv, { accept: ANY_EXIT_CODE, timeout, signal, ...(stdin === undefined ? {} : { stdin }) });
}

/** A check with its time: the work returns what is wrong, if anything. */
export async function timed({ host }: PlatformContext, name: string, span: Span | undefined, work: () => Promise<string | undefined>): Promise<TargetCheck> {
  const start = host.clock.monotonic();
  const shown = span?.child('check', name);
  const problem = await work();
  shown?.end(problem === undefined ? 'done' : 'failed');
  const seconds = Math.round((host.clock.monotonic() - start) / 100) / 10;
  return problem === undefined ? { name, result: 'passed', seconds } : { name, result: 'failed', detail: problem, seconds };
}
