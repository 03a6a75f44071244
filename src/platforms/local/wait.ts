import { IngotError } from '../../base/errors.ts';
import { quoteCommand } from '../../base/process.ts';
import { formatDuration, type Name } from '../../base/types.ts';
import { cloudInitFailure, CLOUD_INIT_SCRIPT, readCloudInit } from './cloud-init-state.ts';
import type { Guest } from './guest.ts';
import { readyForSsh } from './ready.ts';
import { loginLimit } from './ssh.ts';
import type { ReachedVm } from '../remote-login.ts';
import type { LabContext } from './view.ts';
import { vmPid } from './vms.ts';

/** What a VM is waited for. All but `ssh` begins with being able to log in. */
export type WaitGoal =
  | { readonly kind: 'ssh' }
  | { readonly kind: 'cloud-init' }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'command'; readonly argv: readonly string[] };

const POLL_SECONDS = 1;
/** Less than that would only tell that the time was too short for a question. */
const LEAST_ANSWER_SECONDS = 5;
const CONSOLE_LINES = 25;

/** How a goal is looked for in the guest. */
interface Probe {
  readonly what: string;
  /** True when it is reached, else what was found instead, in words. Throws where it never will be. */
  reached(seconds: number): Promise<true | string>;
}

/**
 * Waits until a running VM is as wanted; returns the seconds that it took. `limit` is in seconds, of all of it. Throws `wait-timeout` and
 * `ssh-timeout` with what was waited for and the console's tail, `qemu-ended` as soon as the VM has ended, `cloud-init-failed` with its own
 * messages, `cloud-init-missing`, and what requireRunning throws.
 */
export async function waitForGoal(context: LabContext, name: Name, goal: WaitGoal, limit?: number): Promise<number> {
  const start = context.host.clock.monotonic();
  const passed = (): number => (context.host.clock.monotonic() - start) / 1000;
  const guest = await readyForSsh(context, name, limit);
  await reachGoal(context, guest, goal, {
    seconds: (limit ?? loginLimit(guest.spec.accelerator.kind)) - passed(),
    checkRunning: (what) => checkRunning(context, name, guest, what),
    consoleTail: () => guest.consoleTail(CONSOLE_LINES),
  });
  return passed();
}

export interface GoalOptions {
  readonly seconds: number;
  /** Throws where waiting has become pointless. */
  readonly checkRunning: (what: string) => Promise<void>;
  /** The end of the console, where there is one that can be read. */
  readonly consoleTail?: () => Promise<string>;
}

/** Waits until a guest that lets one in is as wanted. Throws `wait-timeout`, `cloud-init-failed`, `cloud-init-missing`, and what `checkRunning` throws. */
export async function reachGoal(
  { host, signal, events }: Pick<LabContext, 'host' | 'signal' | 'events'>,
  guest: ReachedVm,
  goal: WaitGoal,
  { seconds, checkRunning: check, consoleTail }: GoalOptions,
): Promise<void> {
  if (goal.kind === 'ssh') return;
  const start = host.clock.monotonic();
  const probe = probeFor(guest, goal, signal);
  await events.stage(`Waiting for ${probe.what}`, async (span) => {
    for (;;) {
      // One question at a time: what is asked again while it is still being answered only makes a slow guest slower.
      const left = seconds - (host.clock.monotonic() - start) / 1000;
      const answer = await probe.reached(Math.ceil(Math.max(LEAST_ANSWER_SECONDS, left)));
      if (answer === true) return;
      signal.throwIfAborted();
      await check(probe.what);
      if ((host.clock.monotonic() - start) / 1000 > seconds) throw inVain(guest, probe.what, answer, seconds, await consoleTail?.());
      span.progress(0, undefined, 'items', answer);
      await host.clock.sleep(POLL_SECONDS, signal);
    }
  });
}

function probeFor(guest: ReachedVm, goal: Exclude<WaitGoal, { kind: 'ssh' }>, signal: AbortSignal): Probe {
  const { name } = guest.spec;
  const ask = async (argv: readonly string[], seconds: number): Promise<{ code: number | undefined; stdout: string; said: string }> => {
    try {
      const { exitCode, stdout, stderr } = await guest.ssh(argv, { timeout: seconds, signal });
      return { code: exitCode, stdout, said: lastLine(stderr) ?? lastLine(stdout) ?? `exit code ${exitCode}` };
    } catch (error) {
      if (error instanceof IngotError && error.code === 'command-timeout') return { code: undefined, stdout: '', said: 'the guest did not answer' };
      throw error;
    }
  };
  switch (goal.kind) {
    case 'port':
      return {
        what: `port ${goal.port} of ${name}`,
        async reached(seconds) {
          const { code, stdout, said } = await ask(['sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :'], seconds);
          return code === 0 ? listens(stdout, goal.port) || 'nothing listens on it' : said;
        },
      };
    case 'command':
      return {
        what: `\`${quoteCommand(goal.argv)}\` to succeed on ${name}`,
        async reached(seconds) {
          const { code, said } = await ask(goal.argv, seconds);
          if (code === undefined) return said;
          return code === 0 || `it ended with exit code ${code}${said === `exit code ${code}` ? '' : `: ${said}`}`;
        },
      };
    case 'cloud-init':
      return {
        what: `${name}'s cloud-init to be done`,
        async reached(seconds) {
          const { code, stdout, said } = await ask(['sh', '-c', CLOUD_INIT_SCRIPT], seconds);
          if (code !== 0) return said;
          const state = readCloudInit(stdout);
          if (state.status === 'done') return true;
          if (state.status === 'failed' || state.status === 'missing') throw cloudInitFailure(name, state);
          return state.text;
        },
      };
  }
}

/** Whether something listens on a TCP port, by the lines of the guest's /proc/net/tcp and tcp6, whatever its address. */
export function listens(tables: string, port: number): boolean {
  const [hex, listening] = [port.toString(16).toUpperCase().padStart(4, '0'), '0A'];
  return tables.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === listening && local?.endsWith(`:${hex}`) === true;
  });
}

async function checkRunning({ host, home }: LabContext, name: Name, guest: Guest, what: string): Promise<void> {
  if ((await vmPid(host, home, name)) === guest.pid) return;
  throw new IngotError('host', 'qemu-ended', `${name} ended while ${what} was waited for`, {
    hint: `Look at \`ingot vm logs ${name}\`.`,
    detail: `The end of the console:\n${await guest.consoleTail(CONSOLE_LINES)}`,
  });
}

function inVain(guest: ReachedVm, what: string, answer: string, seconds: number, tail: string | undefined): IngotError {
  return new IngotError('timeout', 'wait-timeout', `Waited ${formatDuration(seconds)} in vain for ${what}: ${answer}`, {
    hint: `Give it more --timeout, or look around with \`ingot vm ssh ${guest.spec.name}\`.`,
    ...(tail === undefined ? {} : { detail: `The end of the console:\n${tail === '' ? '(nothing was written to it)' : tail}` }),
  });
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1) || undefined;
}
