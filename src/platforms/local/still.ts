import * as z from 'zod';
import { IngotError, toIngotError } from '../../base/errors.ts';
import { parseName, type HostPath } from '../../base/types.ts';
import { freezeFiles, thawFiles } from './freeze-files.ts';
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

export interface StillOptions {
  /** Whether the guest agent is asked to write out and freeze the filesystems: where it cannot, `try` stops the processors, and `must` throws. */
  readonly flush: 'no' | 'try' | 'must';
}

/**
 * Makes a machine stand still: its filesystems, or its processors. One that is paused already stays so. The caller holds the VM's lock. With
 * `must` throws `agent-missing` where no agent answers, and `guest-not-frozen` where it cannot; then the machine goes on.
 */
export async function holdStill(context: LabContext, vm: VmRecord, { flush }: StillOptions): Promise<StillVm> {
  const { host, home, events, signal } = context;
  const name = parseName(vm.name, 'a VM');
  const nothing = { async [Symbol.asyncDispose]() {} };
  if ((await vmPid(host, home, name)) === undefined) return { vm, how: 'off', ...nothing };
  const files = guestFiles(home.vm(name));
  const { paused, agent } = await lookAtMachine(files.qmp);
  if (flush === 'must' && (paused || !agent)) throw agentMissing(vm, paused ? 'It is paused.' : 'None has opened its port.');
  if (paused) return { vm, how: 'processors', ...nothing };
  signal.throwIfAborted();
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await settleStill(context, await loadVm(host, home, name))));
  const mark = async (still: 'files' | 'processors'): Promise<VmRecord> => {
    // Files that may be frozen still are thawed with the processors.
    const marked: VmRecord = { ...vm, still: vm.still ?? still };
    await saveVm(host, home, marked);
    return marked;
  };
  if (flush !== 'no' && agent) {
    const held = await mark('files');
    const start = host.clock.monotonic();
    const { failure, thaw } = await freezeFiles(host, files.agent);
    undo.defer(async () => {
      if (await thaw()) await unmark(context, await loadVm(host, home, name));
      if (failure === undefined)
        events.message('debug', `The filesystems of ${vm.name} stood still for ${((host.clock.monotonic() - start) / 1000).toFixed(2)} s`);
    });
    // What was asked of the agent takes its time; whoever interrupted it meanwhile is heard now.
    signal.throwIfAborted();
    if (failure === undefined) return handOver(undo, held, 'files');
    if (flush === 'must') throw failure.answered ? notFrozen(vm, failure.error) : agentMissing(vm, failure.error.message, failure.error);
    events.message('warn', `The guest agent of ${vm.name} did not freeze its filesystems: ${failure.error.message}`);
    await undo.disposeAsync();
    return await holdStill(context, await loadVm(host, home, name), { flush: 'no' });
  }
  const held = await mark('processors');
  using qmp = await QmpClient.connect(files.qmp);
  await qmp.execute('stop');
  return handOver(undo, held, 'processors');
}

function handOver(undo: AsyncDisposableStack, vm: VmRecord, how: StillVm['how']): StillVm {
  const release = undo.move();
  return { vm, how, [Symbol.asyncDispose]: () => release.disposeAsync() };
}

/**
 * Lets a machine go on that a command has held still; the record loses its mark, unless its agent does not answer: then whoever holds the VM next tries
 * again. The caller holds the VM's lock.
 */
export async function settleStill(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.still === undefined) return vm;
  const { host, home, events } = context;
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) {
    const files = guestFiles(home.vm(name));
    await goOn(files.qmp);
    try {
      if (vm.still === 'files') await thawFiles(host, files.agent);
    } catch (error) {
      const { message } = toIngotError(error);
      events.message('warn', `The filesystems of ${name} may be frozen still: ${message}. \`ingot vm restart ${name} --force\` helps.`);
      return vm;
    }
  }
  return await unmark(context, vm);
}

async function unmark({ host, home }: LabContext, vm: VmRecord): Promise<VmRecord> {
  const { still: _, ...settled } = vm;
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

const OTHER_WAYS = 'Use --stop, which shuts it down for a moment, or --crash-consistent: its disk is then as after a power cut.';

function agentMissing({ name }: VmRecord, detail: string, cause?: IngotError): IngotError {
  return new IngotError('host', 'agent-missing', `${name} runs, and no guest agent in it answers, which would bring its filesystems to rest`, {
    ...(cause === undefined ? {} : { cause }),
    hint: `Install qemu-guest-agent in it. ${OTHER_WAYS}`,
    detail,
  });
}

function notFrozen({ name }: VmRecord, cause: IngotError): IngotError {
  return new IngotError('host', 'guest-not-frozen', `The filesystems of ${name} could not be brought to rest`, {
    cause,
    hint: OTHER_WAYS,
    detail: cause.message,
  });
}
