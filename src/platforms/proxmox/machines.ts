import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import type { PveConfig } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { REQUESTS, type PveRequest } from './requests.ts';
import { removeSeed, seedOf } from './seed-volume.ts';
import { settleTasks, type Matching } from './tasks.ts';

export interface MachineId {
  readonly node: string;
  readonly vmid: number;
  /** Without it, a VM. */
  readonly kind?: 'lxc' | undefined;
}

/** How often another VMID is tried where one was taken between being asked for and being used. */
const ID_ATTEMPTS = 20;

/** Tasks of a VM. A clone is a task of what is cloned. */
export function tasksOf(...vmids: readonly number[]): Matching {
  const ids = new Set(vmids.map(String));
  return (task) => ids.has(task.id);
}

/** The configuration of a VM; undefined where there is none of that number. */
export async function configOf(client: ProxmoxClient, machine: MachineId): Promise<PveConfig | undefined> {
  try {
    return await client.call(REQUESTS.config(machine));
  } catch (error) {
    if (error instanceof IngotError && error.code === 'remote-missing') return undefined;
    throw error;
  }
}

/**
 * Makes a VM under a number that nobody has. `record` is told the number before it is used, and nothing where it was taken meanwhile: then what has it is
 * somebody else's.
 */
export async function makeMachine(
  client: ProxmoxClient,
  options: {
    readonly node: string;
    readonly kind?: 'lxc' | undefined;
    /** Where it ends up, where a clone goes to another node. */
    readonly to?: string | undefined;
    readonly ids: readonly [number, number] | undefined;
    readonly what: (vmid: number) => string;
    readonly request: (vmid: number) => PveRequest<string | null | undefined>;
    /** Whether notes say that a VM is the one that was to be made. */
    readonly isOurs: (notes: string | undefined) => boolean;
    readonly also?: readonly number[];
    readonly record: (vmid: number | undefined) => Promise<void>;
    readonly span?: Span | undefined;
  },
): Promise<number> {
  const taken = new Set<number>();
  for (let attempt = 1; ; attempt++) {
    const vmid = await freeId(client, options.ids, taken);
    await options.record(vmid);
    const machine = { node: options.to ?? options.node, vmid, kind: options.kind };
    const done = async (): Promise<boolean> => {
      const config = await configOf(client, machine);
      return config !== undefined && config['lock'] === undefined && options.isOurs(config['description']);
    };
    try {
      await client.work(options.request(vmid), {
        what: options.what(vmid),
        node: options.node,
        tasks: tasksOf(vmid, ...(options.also ?? [])),
        done,
        span: options.span,
      });
      return vmid;
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'vmid-taken') throw error;
      // A first attempt whose answer was lost may have made it.
      if (await done()) return vmid;
      await options.record(undefined);
      taken.add(vmid);
      if (attempt === ID_ATTEMPTS) throw error;
      client.events.message('info', `VMID ${vmid} was taken meanwhile; another one is tried`);
    }
  }
}

/** A number that no VM has now; nothing reserves it. Throws `vmids-used-up`. */
async function freeId(client: ProxmoxClient, ids: readonly [number, number] | undefined, taken: ReadonlySet<number>): Promise<number> {
  if (ids === undefined && taken.size === 0) return await client.call(REQUESTS.nextId());
  const [first, last] = ids ?? [Math.min(...taken), 999_999_999];
  const used = new Set((await client.call(REQUESTS.resources())).map(({ vmid }) => vmid));
  for (let vmid = first; vmid <= last; vmid++) if (!used.has(vmid) && !taken.has(vmid)) return vmid;
  throw new IngotError('conflict', 'vmids-used-up', `Every VMID from ${first} to ${last} is in use`, { hint: 'Give another range with --vmids.' });
}

/** Sends what starts or stops a machine, or makes a template of it; `done` tells whether it is so already. */
export async function workOn(
  client: ProxmoxClient,
  machine: MachineId,
  what: string,
  request: PveRequest<string | null | undefined>,
  done: () => Promise<boolean>,
  span?: Span,
): Promise<void> {
  await client.work(request, { what, node: machine.node, tasks: tasksOf(machine.vmid), done, span });
}

/** Starts a machine; nothing where it runs. */
export async function startMachine(client: ProxmoxClient, machine: MachineId, span?: Span): Promise<void> {
  const running = async (): Promise<boolean> => (await client.call(REQUESTS.status(machine))).status === 'running';
  if (!(await running())) await workOn(client, machine, `starting VM ${machine.vmid}`, REQUESTS.start(machine), running, span);
}

/** Stops a machine at once, as by pulling its plug; nothing where it is off. */
export async function stopMachine(client: ProxmoxClient, machine: MachineId, span?: Span): Promise<void> {
  const off = async (): Promise<boolean> => (await client.call(REQUESTS.status(machine))).status === 'stopped';
  if (!(await off())) await workOn(client, machine, `stopping VM ${machine.vmid}`, REQUESTS.stop(machine), off, span);
}

/**
 * Removes a machine with its disks, where its notes say that it is ours; one that is not there, or somebody else's, is left. Tasks that still make it are
 * ended first.
 */
export async function destroyOurs(
  client: ProxmoxClient,
  machine: MachineId,
  isOurs: (notes: string | undefined) => boolean,
  also: readonly number[] = [],
): Promise<void> {
  await settleTasks(client, machine.node, tasksOf(machine.vmid, ...also), { stop: true });
  const config = await configOf(client, machine);
  if (config === undefined) return;
  if (!isOurs(config['description'])) {
    client.events.message('warn', `VM ${machine.vmid} on ${machine.node} does not say that it is ours, and stays`);
    return;
  }
  await stopMachine(client, machine);
  // Before the VM, which alone says that it is there.
  const seed = seedOf(config);
  if (seed !== undefined) await removeSeed(client, machine.node, seed);
  const gone = async (): Promise<boolean> => (await configOf(client, machine)) === undefined;
  await workOn(client, machine, `removing VM ${machine.vmid}`, REQUESTS.deleteVm(machine), gone);
}
