import { takeLock } from '../../base/lock.ts';
import { IngotError } from '../../base/errors.ts';
import { parseName, type Name } from '../../base/types.ts';
import { checkBudget } from './budget.ts';
import { createVm, refuseExisting, type NewVm } from './create.ts';
import { holdVm, startLocked } from './power.ts';
import { deleteVm } from './remove.ts';
import type { LabContext } from './view.ts';
import { loadVm, vmNames, type VmRecord } from './vms.ts';

/** How many VMs, and what they are called. */
export interface HowMany {
  /** So many, called `<name>-1` and so on; undefined for one that has the name itself. */
  readonly count: number | undefined;
  /** A taken name is passed over for the next free one, instead of being an error. */
  readonly unique: boolean;
}

/** VMs that are made at the same time. */
const AT_ONCE = 8;

/**
 * Makes VMs that differ in nothing but their names, and starts them one after the other. All of them or none: where one cannot be made or
 * started, those made before are deleted. Throws what {@link createVm} throws; `vm-exists` names each that is taken.
 */
export async function createVms(context: LabContext, request: NewVm, howMany: HowMany): Promise<VmRecord[]> {
  const { count, unique } = howMany;
  if (count === undefined && !unique) return [await createVm(context, request)];
  if (request.start && !request.force) {
    const many = count ?? 1;
    const name = count === undefined ? request.name : `${request.name}-1 to ${request.name}-${count}`;
    // Their disks are looked at as each is made, when their sizes are known.
    await checkBudget(context, { name, cpus: request.cpus * many, memory: request.memory * many, disks: [] });
  }
  await using undo = new AsyncDisposableStack();
  const made = await makeAll(context, request, howMany, undo);
  if (request.start) for (const name of made) await start(context, name, request.force);
  undo.move();
  return await Promise.all(made.map((name) => loadVm(context.host, context.home, name)));
}

/** Makes them without starting them, while no other command chooses among the same names. */
async function makeAll(context: LabContext, request: NewVm, { count, unique }: HowMany, undo: AsyncDisposableStack): Promise<Name[]> {
  const { host, home, signal } = context;
  await using _lock = await takeLock(host, home, `names-${request.name}`, { what: `choosing names like ${request.name}`, signal });
  await refuseTaken(context, request.name, { count, unique });
  const nextName = freeNames(request.name, count !== undefined, new Set<string>(await vmNames(host, home)));
  const made: Name[] = [];
  const makeOne = async (): Promise<void> => {
    for (;;) {
      const name = nextName();
      try {
        await createVm(context, { ...request, name, start: false });
      } catch (error) {
        // A command that names its VM itself may have taken this name just now.
        if (unique && error instanceof IngotError && error.code === 'vm-exists') continue;
        throw error;
      }
      undo.defer(() => deleteVm(context, name, { force: true }));
      made.push(name);
      return;
    }
  };
  let left = count ?? 1;
  const worker = async (): Promise<void> => {
    try {
      for (; left > 0; await makeOne()) {
        signal.throwIfAborted();
        left -= 1;
      }
    } catch (error) {
      left = 0;
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, left) }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return made.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** Throws `vm-exists` where a name that {@link createVms} would use is taken, and it may use no other. */
export async function refuseTaken({ host, home }: Pick<LabContext, 'host' | 'home'>, stem: Name, { count, unique }: HowMany): Promise<void> {
  if (unique) return;
  if (count === undefined) return await refuseExisting(host, home, stem);
  const names = new Set<string>(await vmNames(host, home));
  const taken = Array.from({ length: count }, (_, i) => `${stem}-${i + 1}`).filter((name) => names.has(name));
  if (taken.length === 0) return;
  throw new IngotError('conflict', 'vm-exists', `There ${taken.length === 1 ? 'is a VM' : 'are VMs'} named ${taken.join(', ')} already`, {
    hint: 'Use --unique, which passes over taken names, or another name.',
  });
}

/** Gives one free name after the other: the name itself where it is one VM, then numbered ones. */
export function freeNames(stem: Name, numbered: boolean, taken: ReadonlySet<string>): () => Name {
  let number = numbered ? 0 : 1;
  let plain = !numbered && !taken.has(stem);
  return () => {
    if (plain) {
      plain = false;
      return stem;
    }
    do number += 1;
    while (taken.has(`${stem}-${number}`));
    return parseName(`${stem}-${number}`, 'a VM');
  };
}

async function start(context: LabContext, name: Name, force: boolean): Promise<void> {
  await using held = await holdVm(context, name, `vm create ${name}`);
  await startLocked(context, held.vm, { force });
}
