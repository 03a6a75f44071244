import { IngotError, nearest, toIngotError } from '../base/errors.ts';
import { parseName, type Name } from '../base/types.ts';
import { readyForSsh } from '../platforms/local/ready.ts';
import type { ReachedVm } from '../platforms/remote-login.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { findMembers } from './found.ts';
import type { FoundMember } from './plan.ts';
import { loadLab } from './state.ts';

/** The members of a lab with these names, or of these groups (`web` for `web-1`, `web-2`), or all. Throws `lab-unknown`, `lab-member-unknown`. */
export async function chosenMembers(context: Pick<LabContext, 'host' | 'home'>, lab: Name, names: readonly string[]): Promise<FoundMember[]> {
  await loadLab(context.host, context.home, lab);
  return chooseMembers(lab, await findMembers(context, lab), names);
}

/** Of members those with these names, or of these groups, or all. Throws `lab-member-unknown`. Pure. */
export function chooseMembers<T extends { readonly name: string }>(lab: string, members: readonly T[], names: readonly string[]): T[] {
  if (names.length === 0) return [...members];
  const matches = (member: T, name: string): boolean =>
    member.name === name || (member.name.startsWith(`${name}-`) && /^\d+$/.test(member.name.slice(name.length + 1)));
  for (const name of names) {
    if (members.some((member) => matches(member, name))) continue;
    const near = nearest(
      name,
      members.map((member) => member.name),
    );
    throw new IngotError('not-found', 'lab-member-unknown', `The lab ${lab} has no VM named ${name}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has: ${members.map((member) => member.name).join(', ') || 'none'}.`,
    });
  }
  return members.filter((member) => names.some((name) => matches(member, name)));
}

/** The one member of a name. Throws `lab-member-unknown`, also for a group of several. Pure. */
export function oneMember<T extends { readonly name: string }>(lab: string, members: readonly T[], name: string): T {
  const found = chooseMembers(lab, members, [name]);
  const [member] = found;
  if (member !== undefined && found.length === 1) return member;
  throw new IngotError('usage', 'lab-member-unknown', `${name} is several VMs`, { hint: `Name one: ${found.map((one) => one.name).join(', ')}.` });
}

export interface ExecRequest {
  readonly lab: Name;
  /** None for all that run. */
  readonly on: readonly string[];
  readonly command: readonly string[];
  /** Seconds to wait for each until one can log in. */
  readonly timeout: number | undefined;
  /** Gets each line, and whose it is. */
  readonly onLine: (member: string, line: string) => void;
}

export interface ExecResult {
  readonly member: string;
  /** 255 also where it could not be asked. */
  readonly exitCode: number;
}

/**
 * Runs a command in members of a lab at the same time; without names in all that run. What cannot be reached is told as a line of its own. Throws
 * `lab-not-running`, `vm-not-running`, and what choosing members throws.
 */
export async function execInLab(context: LabContext, request: ExecRequest): Promise<ExecResult[]> {
  const { lab, on, timeout } = request;
  const chosen = await chosenMembers(context, lab, on);
  const members = on.length > 0 ? chosen : chosen.filter(({ running }) => running);
  return await execAll(
    context,
    members.map(({ name, vm }) => ({
      name,
      reach: async () => await readyForSsh({ ...context, events: context.events.branch(name) }, parseName(vm, 'a VM'), timeout),
    })),
    request,
  );
}

/** Runs a command in members at the same time, each when one can log in. Throws `lab-not-running` where there is none. */
export async function execAll(
  { signal }: Pick<LabContext, 'signal'>,
  members: readonly { readonly name: string; readonly reach: () => Promise<ReachedVm> }[],
  { lab, command, onLine }: Pick<ExecRequest, 'lab' | 'command' | 'onLine'>,
): Promise<ExecResult[]> {
  if (members.length === 0) {
    throw new IngotError('conflict', 'lab-not-running', `No VM of the lab ${lab} runs`, { hint: 'Start it with `ingot lab up`.' });
  }
  const width = Math.max(...members.map(({ name }) => name.length));
  return await Promise.all(
    members.map(async ({ name, reach }): Promise<ExecResult> => {
      const label = name.padEnd(width);
      try {
        const guest = await reach();
        const { exitCode } = await guest.ssh(command, { signal, onLine: (line) => onLine(label, line) });
        return { member: name, exitCode };
      } catch (error) {
        signal.throwIfAborted();
        onLine(label, `ingot: ${toIngotError(error).message}`);
        return { member: name, exitCode: 255 };
      }
    }),
  );
}
