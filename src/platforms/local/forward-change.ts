import { IngotError } from '../../base/errors.ts';
import type { Name } from '../../base/types.ts';
import { checkForwards, describeForward, formatForward, forwardAt, portFor, type WantedForward } from './forwards.ts';
import { guestFiles } from './guest-spec.ts';
import { withFreePorts } from './ports.ts';
import { holdVm } from './power.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';
import type { Forward } from './vm-record.ts';
import { recordedPorts, saveVm, vmPid, type VmRecord } from './vms.ts';

/*
 * The record is written before a running QEMU is told, so that a forward is never open without being known. Where ingot is killed between the two, the
 * next start has what the record says, and adding or removing it again makes QEMU follow at once.
 */

/**
 * Adds forwards to a VM, at once where it runs. One that it has already stays as it is. Returns all that it has. Throws `forward-twice`, and what
 * {@link withFreePorts} throws; then nothing has changed.
 */
export async function addForwards(context: LabContext, name: Name, wanted: readonly WantedForward[]): Promise<readonly Forward[]> {
  const { host, home, signal } = context;
  await using held = await holdVm(context, name, `vm forward ${name} add`);
  const { vm } = held;
  const has = (wish: WantedForward): Forward | undefined =>
    vm.forwards.find((forward) => wish.host !== undefined && formatForward(forward) === formatForward(wish));
  const fresh = wanted.filter((wish) => has(wish) === undefined);
  checkForwards(fresh, vm.ssh.port);
  checkForwards([...vm.forwards, ...fresh]);
  const open = wanted.flatMap((wish) => has(wish) ?? []);
  // A port that QEMU has opened for this VM is not free for another forward of it.
  const request = { recorded: () => recordedPorts(host, home), wanted: fresh.map((wish) => portFor(wish)), signal };
  return await withFreePorts(host, home, request, async (ports) => {
    const added = fresh.map((wish, index) => forwardAt(wish, ports[index] ?? 0));
    const next = { ...vm, forwards: [...vm.forwards, ...added] };
    await using undo = new AsyncDisposableStack();
    undo.defer(() => saveVm(host, home, vm));
    await saveVm(host, home, next);
    await tellQemu(context, name, async (monitor) => {
      for (const forward of open) await monitor.open(forward, true);
      for (const forward of added) {
        undo.defer(() => monitor.close(forward));
        await monitor.open(forward, false);
      }
    });
    undo.move();
    return next.forwards;
  });
}

/** Takes forwards away, at once where the VM runs. Returns all that it has left. Throws `forward-unknown`, `forward-ambiguous`. */
export async function removeForwards(context: LabContext, name: Name, wanted: readonly WantedForward[]): Promise<readonly Forward[]> {
  const { host, home } = context;
  await using held = await holdVm(context, name, `vm forward ${name} remove`);
  const gone = wanted.map((wish) => findForward(held.vm, wish));
  const forwards = held.vm.forwards.filter((forward) => !gone.includes(forward));
  await saveVm(host, home, { ...held.vm, forwards });
  await tellQemu(context, name, async (monitor) => {
    for (const forward of gone) await monitor.close(forward);
  });
  return forwards;
}

/** The forward that is meant: by both ports, or by one of them. */
export function findForward({ name, forwards }: Pick<VmRecord, 'name' | 'forwards'>, wish: WantedForward): Forward {
  const found = forwards.filter(
    ({ protocol, host, guest }) =>
      protocol === wish.protocol && (wish.host === undefined ? [host, guest].includes(wish.guest) : host === wish.host && guest === wish.guest),
  );
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const all = forwards.map(formatForward).join(', ');
  if (first !== undefined) {
    throw new IngotError('usage', 'forward-ambiguous', `${name} has more than one forward ${formatForward(wish)}`, { hint: `Name both ports: ${all}.` });
  }
  throw new IngotError('not-found', 'forward-unknown', `${name} has no forward ${formatForward(wish)}`, {
    hint: forwards.length === 0 ? 'It has none.' : `It has ${all}.`,
  });
}

interface ForwardMonitor {
  /** Opens a forward; with `again` it may be open already. */
  open(forward: Forward, again: boolean): Promise<void>;
  close(forward: Forward): Promise<void>;
}

/** Talks to the VM's QEMU about forwards; not at all where it does not run. They have no command in QMP, only in the monitor for people, which answers in words. */
async function tellQemu({ host, home }: LabContext, name: Name, talk: (monitor: ForwardMonitor) => Promise<void>): Promise<void> {
  if ((await vmPid(host, home, name)) === undefined) return;
  using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
  const say = async (line: string): Promise<string> => String(await qmp.execute('human-monitor-command', { 'command-line': line })).trim();
  const rule = ({ protocol, address, host: port }: Forward): string => `${protocol}:${address}:${port}`;
  await talk({
    async open(forward, again) {
      if (again && (await say('info usernet')).split('\n').some((line) => isOpen(line, forward))) return;
      const answer = await say(`hostfwd_add net0 ${rule(forward)}-:${forward.guest}`);
      if (answer === '') return;
      throw new IngotError('conflict', 'port-taken', `QEMU could not open ${describeForward(forward)}`, { detail: answer });
    },
    // It may not be open: where ingot was killed before.
    close: async (forward) => void (await say(`hostfwd_remove net0 ${rule(forward)}`)),
  });
}

/** Whether a line of `info usernet` is this forward: `TCP[HOST_FORWARD]  13  127.0.0.1  8080  10.0.2.15  80  0  0`. */
function isOpen(line: string, { protocol, address, host }: Forward): boolean {
  const [kind, , from, port] = line.trim().split(/\s+/);
  return kind === `${protocol.toUpperCase()}[HOST_FORWARD]` && from === address && port === String(host);
}
