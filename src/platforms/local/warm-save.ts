import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { takeLock } from '../../base/lock.ts';
import { makeScratch } from '../../base/scratch.ts';
import { formatSize, hostPath, type HostPath } from '../../base/types.ts';
import { commandStatus, withAgent } from './agent.ts';
import { checkBudget } from './budget.ts';
import { lockFrozen, newFileId } from './frozen.ts';
import { startGuest, type Guest } from './guest.ts';
import { guestFiles, type Accelerator } from './guest-spec.ts';
import { randomMac, randomUuid } from './identity.ts';
import { makeOverlay } from './overlay.ts';
import { withFreePort } from './ports.ts';
import type { QmpClient } from './qmp.ts';
import { saveRamState } from './ram-state.ts';
import { makeSeed, seedContent } from './seed.ts';
import { ensureSshKey } from './ssh.ts';
import type { LabContext } from './view.ts';
import { warmKey, warmSpec } from './warm-machine.ts';
import { checkWarmState, findWarmState, warmFiles, type WarmShape, type WarmState } from './warm-record.ts';
import { removeWarmState } from './warm-remove.ts';
import { SETTLE, WAIT, WAITING_FILE } from './warm-script.ts';
import { activePath, recordedPorts, seedPath } from './vms.ts';

/** Seconds for a boot to its end: it has more time than where somebody waits to log in. */
const SETTLE_SECONDS = { kvm: 300, hvf: 300, tcg: 1800 } as const;
/** Seconds for taking it out of use. */
const LEAVE_SECONDS = { kvm: 60, hvf: 60, tcg: 600 } as const;
const AGENT_SECONDS = 60;
/** Room for what the guest writes to its disk while it boots, and for the state of its devices. */
const DISK_SPACE = 2 ** 30;

/**
 * Returns the state that VMs of this shape start from. Where there is none, the image is booted once and saved; another command that does so
 * already is waited for. A damaged state is made again. Throws `warm-impossible` where the image cannot be saved, and what booting it throws.
 */
export async function ensureWarmState(
  context: LabContext,
  shape: WarmShape,
  accelerator: Accelerator,
  options: { readonly force: boolean },
): Promise<WarmState> {
  const key = await warmKey(context, shape, accelerator);
  const found = await wholeState(context, key);
  if (found !== undefined) return found;
  const { reference } = shape.image;
  await using _lock = await takeLock(context.host, context.home, `warm-${key}`, {
    what: `image warm ${reference}`,
    signal: context.signal,
    onWait: (owner) => context.events.message('info', `Waiting for process ${owner?.pid ?? '?'}, which boots ${reference} to save it`),
  });
  const meanwhile = await wholeState(context, key);
  if (meanwhile !== undefined) return meanwhile;
  if (!options.force) {
    const need = { name: `The machine to save ${reference} from`, cpus: shape.cpus, memory: shape.memory, disks: [{ size: shape.disk }] };
    await checkBudget(context, need, { running: true, isNew: true });
  }
  await checkSpace(context, shape);
  return await context.events.stage(`Booting ${reference} once, to start VMs from its memory`, (span) =>
    saveState(context, shape, accelerator, key, (what) => span.progress(0, undefined, 'items', what)),
  );
}

async function wholeState(context: LabContext, key: string): Promise<WarmState | undefined> {
  const state = await findWarmState(context.host, context.home, key);
  if (state === undefined) return undefined;
  try {
    await checkWarmState(context.host, context.home, state);
    return state;
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'warm-damaged') throw error;
    context.events.message('warn', `${error.message}: it is made again`);
    await removeWarmState(context, state);
    return undefined;
  }
}

async function checkSpace({ host, home }: LabContext, { image, memory }: WarmShape): Promise<void> {
  const [free, needed] = [await host.files.freeSpace(home.root), memory + DISK_SPACE];
  if (free >= needed) return;
  // QEMU would be ended in the middle, since the memory is a file.
  throw new IngotError('space', 'warm-space', `Saving ${image.reference} can take ${formatSize(needed)}, and ${formatSize(free)} are free in ${home.root}`, {
    hint: 'Give it less --memory, or make room: `ingot image prune`.',
  });
}

async function saveState(context: LabContext, shape: WarmShape, accelerator: Accelerator, key: string, tell: (what: string) => void): Promise<WarmState> {
  const { host, home, signal } = context;
  await using scratch = await makeScratch(host, home, `image warm ${shape.image.reference}`);
  const folder = hostPath(join(scratch.path, 'vm'));
  const fresh = hostPath(join(scratch.path, 'state'));
  for (const path of [folder, fresh]) await host.files.makeDirectory(path, 0o700);
  const files = warmFiles(fresh);
  const chain = shape.image.layers.map((digest) => home.blob(digest));
  const [id, mac, active, frozen, sshKey] = [randomUuid(host), randomMac(host), 'disk', newFileId(host), await ensureSshKey(host, home)];
  const disk = activePath(folder, active);
  await makeOverlay(host, disk, topOf(shape, chain), shape.disk);
  await makeSeed(host, seedPath(folder), seedContent({ instanceId: id, hostname: 'ingot-warm', publicKey: sshKey.publicKey }));
  const guest = await withFreePort(host, home, { recorded: () => recordedPorts(host, home), signal }, (port) =>
    startGuest(host, warmSpec(shape, accelerator, { folder, chain, active, id, mac, port, key: sshKey.path, memory: files.memory }), {
      lifetime: 'process',
      signal,
    }),
  );
  await using undo = new AsyncDisposableStack();
  undo.defer(() => guest.kill());
  await guest.waitForSsh({ limit: SETTLE_SECONDS[accelerator.kind], signal, onWait: tell });
  const waiting = await prepare(context, guest, shape, tell);
  tell('its memory to be saved');
  {
    using qmp = await guest.qmp();
    await unplugNetwork(qmp);
    await saveRamState(host, qmp, files.devices, { socket: hostPath(join(folder, 'state.sock')), memoryApart: true, signal });
  }
  await guest.kill();
  // A machine's memory can hold anything: nobody else may read it.
  await host.files.setMode(files.memory, 0o600);
  for (const path of [files.memory, disk]) await host.files.sync(path);
  const memory = await host.files.status(files.memory);
  if (memory === undefined) throw new IngotError('internal', 'warm-memory-missing', `QEMU left no memory in ${files.memory}`);
  const state: WarmState = {
    v: 1,
    key,
    shape,
    frozen,
    ...waiting,
    memory: { size: memory.size, modified: memory.modified.getTime() },
    created: host.clock.now().toISOString(),
  };
  await host.files.write(files.record, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  await publish(context, state, { disk, fresh });
  return state;
}

/** Lets disk and state appear: the disk first, which is collected again where no record comes to name it. */
async function publish(context: LabContext, state: WarmState, from: { readonly disk: HostPath; readonly fresh: HostPath }): Promise<void> {
  const { host, home } = context;
  await host.files.makeDirectory(home.frozen, 0o700);
  await host.files.makeDirectory(home.warm, 0o700);
  await using _lock = await lockFrozen(context, `saving a machine of ${state.shape.image.reference}`);
  await host.files.link(from.disk, home.frozenDisk(state.frozen));
  await host.files.sync(home.frozen);
  await host.files.sync(from.fresh);
  // What cannot be read stands in the way.
  await host.files.remove(home.warmState(state.key));
  await host.files.rename(from.fresh, home.warmState(state.key));
  await host.files.sync(home.warm);
}

function topOf(shape: WarmShape, chain: readonly HostPath[]): HostPath {
  const top = chain.at(-1);
  if (top === undefined) throw new IngotError('verification', 'image-empty', `The image ${shape.image.reference} has no layers`);
  return top;
}

/** Prints the file as soon as it is there, and fails where the process has ended without it. */
const UNTIL_WAITING = 'until [ -e "$1" ]; do [ -e "/proc/$2/fd/0" ] || exit 1; sleep 0.2; done; cat "$1"';

/** Waits for the end of the boot, then takes the guest out of use: what waits in it for an identity. */
async function prepare(context: LabContext, guest: Guest, shape: WarmShape, tell: (what: string) => void): Promise<Pick<WarmState, 'pid' | 'hostKeys'>> {
  const { host, signal } = context;
  try {
    return await withAgent(
      host,
      guestFiles(guest.spec.folder).agent,
      async (agent) => {
        tell('the end of its boot');
        const settled = await agent.run(['python3', '-'], { input: SETTLE, timeout: SETTLE_SECONDS[guest.spec.accelerator.kind] });
        if (settled.exitCode !== 0) throw impossible(shape, settled.stderr);
        const waiting = await agent.execute('guest-exec', {
          path: 'python3',
          arg: ['-', guest.spec.mac],
          'input-data': Buffer.from(WAIT).toString('base64'),
          'capture-output': true,
        });
        const { pid } = z.object({ pid: z.int() }).parse(waiting);
        const ready = await agent.run(['sh', '-c', UNTIL_WAITING, 'sh', WAITING_FILE, String(pid)], { timeout: LEAVE_SECONDS[guest.spec.accelerator.kind] });
        if (ready.exitCode !== 0) throw impossible(shape, (await commandStatus(agent, pid)).stderr);
        return { pid, hostKeys: z.array(z.string()).parse(JSON.parse(ready.stdout)) };
      },
      { seconds: AGENT_SECONDS, signal },
    );
  } catch (error) {
    if (!(error instanceof IngotError) || !['agent-silent', 'agent-refused'].includes(error.code)) throw error;
    throw impossible(shape, `${error.message}: a clone gets its identity through the guest agent`, error);
  }
}

function impossible(shape: WarmShape, why: string, cause?: unknown): IngotError {
  const last = why.trim().split('\n').at(-1) ?? '';
  return new IngotError('host', 'warm-impossible', `${shape.image.reference} cannot be saved while it runs: ${last}`, { detail: why, cause });
}

const filtersSchema = z.array(z.object({ name: z.string() }));

/**
 * Takes QEMU's own network away from the stopped machine, without its card noticing: else a clone's would remember that the address which SSH
 * is forwarded to belongs to another card.
 */
async function unplugNetwork(qmp: QmpClient): Promise<void> {
  await qmp.execute('stop');
  await qmp.execute('netdev_del', { id: 'net0' });
  for (const { name } of filtersSchema.parse(await qmp.execute('query-rx-filter'))) await qmp.execute('set_link', { name, up: true });
}
