import { IngotError, toIngotError } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import type { Context } from '../operations/operation.ts';
import { createVm } from '../platforms/local/create.ts';
import { formatForward } from '../platforms/local/forwards.ts';
import { deleteVm } from '../platforms/local/remove.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { bringUp } from './bring-up.ts';
import { refuseLoss } from './found.ts';
import type { Lab, Member } from './model.ts';
import type { MemberPlan, PlanOptions } from './plan.ts';
import { prepareLab, type Prepared } from './prepare.ts';
import { inPool } from '../base/pool.ts';
import { lockLab, saveLab } from './state.ts';

export type UpContext = LabContext & Pick<Context, 'consent'>;

export interface UpOptions extends PlanOptions {
  /** Start VMs although memory is short. */
  readonly force: boolean;
  /** The image in the store that a member is made from; throws where there is none. */
  readonly imageOf: (member: Member) => Promise<string>;
}

/** What became of one member. */
export interface MemberOutcome {
  readonly member: string;
  readonly vm: string;
  readonly address: string;
  readonly result: 'ready' | 'made' | 'unchanged' | 'failed' | 'not-started';
  /** It needs another VM, and --replace was not given. */
  readonly renew: readonly string[];
}

export interface UpResult {
  readonly name: string;
  readonly network: string;
  readonly members: readonly MemberOutcome[];
  readonly deleted: readonly string[];
}

/** VMs that are made at the same time. */
const AT_ONCE = 8;

/**
 * Makes of a lab what its file wants. Each step is done whole or not at all, and what is done already is not done again: after a failure or a kill the
 * same command goes on. Throws `lab-unchanged` where consent to a loss was refused, `lab-incomplete` where members failed (the others are ready),
 * and what reading, preparing and creating throw.
 */
export async function labUp(context: UpContext, lab: Lab, options: UpOptions): Promise<UpResult> {
  const { host, home, signal } = context;
  await using _lock = await lockLab(context, lab.name, `lab up ${lab.name}`);
  const first = await prepareLab(context, lab, options);
  await agree(context, lab, first);
  // Before anything is written: an image that cannot be had leaves no empty lab behind.
  const known = new Map<string, string>();
  await imagesFor(first.plan.members, options, known);
  const prepared = await (async () => {
    // No other lab chooses its network until this one's is written.
    await using _labs = await takeLock(host, home, 'labs', { what: `choosing the network of ${lab.name}`, signal });
    const chosen = await prepareLab(context, lab, options);
    await saveLab(host, home, chosen.state);
    return chosen;
  })();
  const { plan, state } = prepared;
  const images = await imagesFor(plan.members, options, known);
  for (const { vm } of plan.gone) await deleteVm(context, vm, { force: true });
  await inPool(
    AT_ONCE,
    plan.members.filter((one) => one.create),
    async (one) => {
      signal.throwIfAborted();
      await makeMember(context, lab, one, { prepared, image: images.get(one.member.name) ?? '', force: options.force });
    },
  );
  const { hosts } = prepared;
  const outcomes = await startInOrder(plan.members, context, (own, one) => bringUp(own, one, { lab: lab.name, hosts, force: options.force }));
  signal.throwIfAborted();
  throwFailures(lab, outcomes);
  return {
    name: lab.name,
    network: state.network.subnet,
    members: outcomes.map(({ plan: { member, vm, renew, create }, result }) => ({
      member: member.name,
      vm,
      address: prepared.addresses.get(member.name) ?? '',
      result,
      renew: create ? [] : renew,
    })),
    deleted: plan.gone.map(({ vm }) => vm),
  };
}

/** Asks before anything is lost. Throws `lab-unchanged` where the user says no, and `vm-protected`. */
async function agree(context: UpContext, lab: Lab, { plan, otherFile }: Prepared): Promise<void> {
  const questions: string[] = [];
  if (otherFile !== undefined) questions.push(`The lab ${lab.name} was made from ${otherFile}, and this is ${lab.file}.`);
  if (plan.gone.length > 0) questions.push(`Not in the file any more, and deleted with their disks: ${plan.gone.map(({ vm }) => vm).join(', ')}.`);
  const renewed = plan.members.flatMap(({ remove }) => remove ?? []);
  refuseLoss([...plan.gone, ...renewed]);
  if (renewed.length > 0) questions.push(`Made anew, without what is on their disks: ${renewed.map(({ vm }) => vm).join(', ')}.`);
  if (questions.length === 0 || (await context.consent(`${questions.join('\n')}\nGo on?`))) return;
  throw new IngotError('interrupted', 'lab-unchanged', `The lab ${lab.name} is as it was`);
}

/** What the images of new VMs are, all of them before the first is made; each group is asked about once, and remembered in `known`. */
async function imagesFor(plans: readonly MemberPlan[], { imageOf }: UpOptions, known: Map<string, string>): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  for (const { member } of plans.filter((one) => one.create)) {
    const image = known.get(member.group) ?? (await imageOf(member));
    known.set(member.group, image);
    images.set(member.name, image);
  }
  return images;
}

async function makeMember(
  context: LabContext,
  lab: Lab,
  { member, remove }: MemberPlan,
  { prepared, image, force }: { readonly prepared: Prepared; readonly image: string; readonly force: boolean },
): Promise<void> {
  const { group, port } = prepared.state.network;
  if (remove !== undefined) await deleteVm(context, remove.vm, { force: true });
  await createVm(context, {
    name: member.vm,
    image,
    cpus: member.cpus,
    memory: member.memory,
    disk: member.disk,
    firmware: member.firmware,
    sshPort: undefined,
    userData: member.userData,
    forwards: member.forwards,
    shares: member.shares,
    start: false,
    force,
    lab: {
      name: lab.name,
      member: member.name,
      source: member.source,
      forwards: member.forwards.map(formatForward),
      network: { address: prepared.addresses.get(member.name) ?? '', prefix: prepared.prefix, group, port },
      hosts: prepared.hosts,
    },
  });
}

interface Outcome<P> {
  readonly plan: P;
  readonly result: MemberOutcome['result'];
  readonly error?: unknown;
}

type Planned = { readonly member: Pick<Member, 'name' | 'after'> };

/** Brings every member up as soon as those are ready that it waits for; one that fails stops only those that wait for it. */
export async function startInOrder<C extends LabContext, P extends Planned>(
  plans: readonly P[],
  context: C,
  work: (context: C, plan: P) => Promise<MemberOutcome['result']>,
): Promise<Outcome<P>[]> {
  const tasks = new Map<string, Promise<Outcome<P>>>();
  const run = async (one: P): Promise<Outcome<P>> => {
    const before = await Promise.all(one.member.after.flatMap((name) => tasks.get(name) ?? []));
    if (before.some(({ result }) => result === 'failed' || result === 'not-started') || context.signal.aborted) return { plan: one, result: 'not-started' };
    try {
      const own = { ...context, events: context.events.branch(one.member.name) };
      return { plan: one, result: await work(own, one) };
    } catch (error) {
      return { plan: one, result: 'failed', error };
    }
  };
  for (const one of plans) tasks.set(one.member.name, run(one));
  return await Promise.all(tasks.values());
}

/** What failed, as one error; of a single failure that one, with who was not started. */
export function throwFailures(lab: Pick<Lab, 'name'>, outcomes: readonly Outcome<Planned>[]): void {
  const failed = outcomes.filter(({ result }) => result === 'failed').map(({ plan, error }) => ({ name: plan.member.name, error: toIngotError(error) }));
  const [first] = failed;
  if (first === undefined) return;
  const waiting = outcomes.filter(({ result }) => result === 'not-started').map(({ plan }) => plan.member.name);
  const rest =
    waiting.length === 0
      ? ''
      : ` ${waiting.join(', ')} ${waiting.length === 1 ? 'waits' : 'wait'} for it and ${waiting.length === 1 ? 'was' : 'were'} not started.`;
  const more = failed.length === 1 ? first.error.message : `${failed.length} of ${outcomes.length} VMs are not ready`;
  const { class: kind, hint, detail } = first.error;
  throw new IngotError(kind, failed.length === 1 ? first.error.code : 'lab-incomplete', `The lab ${lab.name} is not complete: ${more}`, {
    hint: `${hint ?? ''}${rest} \`ingot lab up\` goes on where it was.`.trim(),
    cause: first.error,
    ...(failed.length === 1
      ? {}
      : { problems: failed.map(({ name, error }) => ({ path: name, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) })) }),
    ...(detail === undefined ? {} : { detail }),
  });
}
