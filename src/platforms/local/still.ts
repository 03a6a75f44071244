import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { parseName, type HostPath } from '../../base/types.ts';
import { withAgent } from './agent.ts';
import { guestFiles } from './guest-spec.ts';
import { stateOf } from './machine-state.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';
import { loadVm, saveVm, vmPid, type VmRecord } from './vms.ts';

/*
 * A running machine is held still for the moment in which its disks, or its memory, are put aside: its filesystems are frozen by the guest
 * agent, or its processors stop. The record says so before it happens, so that whoever holds the VM next lets it go on where ingot was killed.
 */

const statusSchema = z.object({ status: z.string() });
const devicesSchema = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }));

/** A VM that stands still until this is disposed: stopped, or held. */
export interface StillVm extends AsyncDisposable {
  readonly vm: VmRecord;
  /** How: `files` have been written out by the guest, `processors` have stopped in the middle of what they did; `off` does not run. */
  readonly how: 'files' | 'processors' | 'off';
}

/**
 * Makes a machine stand still. With `flush` the guest agent is asked to write out and freeze its filesystems; where none answers, and without
 * it, the processors stop. A machine that is paused already stays so. The caller holds the VM's lock.
 */
export async function holdStill(context: LabContext, vm: VmRecord, options: { readonly flush: boolean }): Promise<StillVm> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  const nothing = { async [Symbol.asyncDispose]() {} };
  if ((await vmPid(host, home, name)) === undefined) return { vm, how: 'off', ...nothing };
  const files = guestFiles(home.vm(name));
  const { paused, agent } = await lookAtMachine(files.qmp);
  if (paused) return { vm, how: 'processors', ...nothing };
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await settleStill(context, await loadVm(host, home, name))));
  let how: 'files' | 'processors' = options.flush && agent ? 'files' : 'processors';
  let held: VmRecord = { ...vm, still: how };
  await saveVm(host, home, held);
  if (how === 'files' && !(await freezeFiles(context, vm.name, files.agent))) {
    how = 'processors';
    held = { ...vm, still: how };
    await saveVm(host, home, held);
  }
  if (how === 'processors') {
    using qmp = await QmpClient.connect(files.qmp);
    await qmp.execute('stop');
  }
  const release = undo.move();
  return { vm: held, how, [Symbol.asyncDispose]: () => release.disposeAsync() };
}

/** Lets a machine go on that a command has held still; the record loses its mark. The caller holds the VM's lock. */
export async function settleStill(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.still === undefined) return vm;
  const { host, home } = context;
  const { still, ...settled } = vm;
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) {
    const files = guestFiles(home.vm(name));
    await goOn(files.qmp);
    if (still === 'files') await thawFiles(context, vm.name, files.agent);
  }
  await saveVm(host, home, settled);
  return settled;
}

/** Lets a paused machine's processors run; nothing happens where they do. */
export async function goOn(socket: HostPath): Promise<void> {
  using qmp = await QmpClient.connect(socket);
  const { status } = statusSchema.parse(await qmp.execute('query-status'));
  if (stateOf(status) !== 'running') await qmp.execute('cont', undefined, CONTINUE_SECONDS);
}

/** After a state was saved, going on takes the disks back, which reads a little of them. */
const CONTINUE_SECONDS = 30;

/** Whether a machine is paused, and whether an agent listens in it: QEMU knows who has the port open, so nobody waits for one that is not there. */
export async function lookAtMachine(socket: HostPath): Promise<{ readonly paused: boolean; readonly agent: boolean }> {
  using qmp = await QmpClient.connect(socket);
  const { status } = statusSchema.parse(await qmp.execute('query-status'));
  const devices = devicesSchema.parse(await qmp.execute('query-chardev'));
  return { paused: stateOf(status) !== 'running', agent: devices.some((device) => device.label === 'agent' && device['frontend-open']) };
}

async function freezeFiles(context: LabContext, name: string, socket: HostPath): Promise<boolean> {
  try {
    await withAgent(context.host, socket, (agent) => agent.freeze(), { signal: context.signal });
    return true;
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    context.events.message('warn', `The guest agent of ${name} did not freeze its filesystems: ${error.message}`);
    return false;
  }
}

async function thawFiles(context: LabContext, name: string, socket: HostPath): Promise<void> {
  try {
    await withAgent(context.host, socket, (agent) => agent.thaw());
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    context.events.message('warn', `The guest agent of ${name} did not thaw its filesystems: ${error.message}. \`ingot vm restart ${name} --force\` helps.`);
  }
}
