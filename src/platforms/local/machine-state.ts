import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { parseName } from '../../base/types.ts';
import { guestFiles } from './guest-spec.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';
import { vmPid, type VmRecord } from './vms.ts';

/**
 * How a VM is: `paused` stands still in memory, `disk-full` is paused by QEMU since the host's disk was full, `suspended` has its memory in a
 * file and takes none.
 */
export const vmStateSchema = z.enum(['running', 'paused', 'disk-full', 'suspended', 'stopped']);
export type VmState = z.output<typeof vmStateSchema>;

const statusSchema = z.object({ status: z.string() });

/** QEMU's own word for how a machine is (QEMU: qapi/run-state.json, RunState); undefined where it does not answer in `seconds`. */
export async function machineStatus(socket: string, seconds: number): Promise<string | undefined> {
  try {
    using qmp = await QmpClient.connect(socket, seconds);
    return statusSchema.parse(await qmp.execute('query-status', undefined, seconds)).status;
  } catch (error) {
    // It ended just now, or another command talks to it.
    if (error instanceof IngotError && (error.code === 'qemu-gone' || error.code === 'qemu-silent')) return undefined;
    throw error;
  }
}

/** What QEMU's word means for people; a machine that does not say runs. Pure. */
export function stateOf(status: string | undefined): VmState {
  if (status === 'io-error') return 'disk-full';
  return status !== undefined && ['paused', 'postmigrate', 'prelaunch', 'inmigrate', 'finish-migrate', 'save-vm', 'restore-vm'].includes(status)
    ? 'paused'
    : 'running';
}

/** How a VM is of which no process runs. Pure. */
export function stoppedState({ suspended }: Pick<VmRecord, 'suspended'>): 'suspended' | 'stopped' {
  return suspended === undefined ? 'stopped' : 'suspended';
}

/** The error for a VM that does not run: how it goes on depends on whether it is suspended. */
export function notRunning({ name, suspended }: Pick<VmRecord, 'name' | 'suspended'>): IngotError {
  return suspended === undefined
    ? new IngotError('conflict', 'vm-not-running', `${name} does not run`, { hint: `Start it with \`ingot vm start ${name}\`.` })
    : new IngotError('conflict', 'vm-suspended', `${name} is suspended`, { hint: `Let it go on with \`ingot vm resume ${name}\`.` });
}

/** How a VM is now, and as which process it runs. A machine that is busy with another command counts as running. */
export async function vmState(
  { host, home }: Pick<LabContext, 'host' | 'home'>,
  vm: VmRecord,
  seconds = 0.5,
): Promise<{ readonly state: VmState; readonly pid?: number; readonly status?: string }> {
  const name = parseName(vm.name, 'a VM');
  const pid = await vmPid(host, home, name);
  if (pid === undefined) return { state: stoppedState(vm) };
  const status = await machineStatus(guestFiles(home.vm(name)).qmp, seconds);
  return { state: stateOf(status), pid, ...(status === undefined ? {} : { status }) };
}
