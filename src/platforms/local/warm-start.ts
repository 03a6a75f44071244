import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import { parseName, type Name } from '../../base/types.ts';
import type { Image } from '../../store/model.ts';
import { commandStatus, withAgent, type Agent } from './agent.ts';
import { lockFrozen } from './frozen.ts';
import { attachGuest, type Guest } from './guest.ts';
import { guestFiles, type Accelerator } from './guest-spec.ts';
import { startLocked } from './power.ts';
import type { LabContext } from './view.ts';
import { checkWarmState, warmFiles, type WarmShape, type WarmState } from './warm-record.ts';
import { removeWarmState } from './warm-remove.ts';
import { ensureWarmState } from './warm-save.ts';
import { IDENTITY_PIPE, type GuestIdentity } from './warm-script.ts';
import { loadVm, saveVm, vmSpec, type VmRecord } from './vms.ts';

/** Seconds until a clone's SSH server answers. */
const ANSWER_SECONDS = { kvm: 30, hvf: 30, tcg: 180 } as const;
const ASK_SECONDS = 3;
const CREDITED_BYTES = 64;
/** What systemd keeps in its file. */
const SEED_BYTES = 512;

/** What machines are saved of: an image, and how large they are. */
export function warmShapeOf(
  machine: Omit<WarmShape, 'image' | 'user' | 'cpus' | 'memory'> & { image: Image },
  asked: { image: string; cpus: number; memory: number },
): WarmShape {
  const { image, arch, firmware, disk } = machine;
  const about = image.config['dev.ingot.image'];
  const sshPort = about.guest?.sshPort;
  return {
    arch,
    firmware,
    disk,
    cpus: asked.cpus,
    memory: asked.memory,
    image: { reference: asked.image, digest: image.digest, layers: image.layers.map(({ digest }) => digest) },
    user: about.defaultUser,
    ...(sshPort === undefined ? {} : { sshPort }),
  };
}

/** The state that a VM starts from, made where there is none; or undefined, where it has to boot, which is said with the reason (`refused` is one). */
export async function warmStateFor(
  context: LabContext,
  shape: WarmShape,
  accelerator: Accelerator,
  options: { readonly name: Name; readonly force: boolean; readonly refused: string | undefined },
): Promise<WarmState | undefined> {
  const boots = (reason: string): undefined => {
    context.events.message('warn', `${options.name} boots, since ${reason}`);
  };
  if (options.refused !== undefined) return boots(options.refused);
  try {
    return await ensureWarmState(context, shape, accelerator, { force: options.force });
  } catch (error) {
    if (context.signal.aborted || !(error instanceof IngotError) || error.class === 'interrupted') throw error;
    return boots(`it has no machine to start from: ${error.message}`);
  }
}

/** Keeps the state's disk from being collected until a record names it. Throws `warm-damaged`. */
export async function useWarmState(context: LabContext, state: WarmState): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  undo.use(await lockFrozen(context, 'starting a VM from a saved machine'));
  await checkWarmState(context.host, context.home, state);
  return undo.move();
}

/** What says that a VM cannot start from a saved machine, but may well boot. */
const FAILURES = new Set(['ram-state-refused', 'warm-damaged', 'warm-identity', 'qemu-failed']);

/** Makes a VM; undefined where it could not start from the saved machine, which is said. */
export async function unlessWarmFails(context: LabContext, name: Name, make: () => Promise<VmRecord>): Promise<VmRecord | undefined> {
  try {
    return await make();
  } catch (error) {
    if (context.signal.aborted || !(error instanceof IngotError) || !FAILURES.has(error.code)) throw error;
    context.events.message('warn', `${name} boots, since ${error.message}`);
    return undefined;
  }
}

/**
 * Starts a VM from a saved machine, and gives it what is its own before anybody can log in. Returns its record when its SSH server answers.
 * The caller holds the VM's lock. Throws `ram-state-refused` (then the state is gone), `warm-identity`, and what starting throws.
 */
export async function startWarm(
  context: LabContext,
  vm: VmRecord,
  options: { readonly warm: WarmState; readonly accelerator: Accelerator; readonly force: boolean },
): Promise<VmRecord> {
  const { host, home, signal } = context;
  const { warm, accelerator, force } = options;
  const name = parseName(vm.name, 'a VM');
  const files = warmFiles(home.warmState(warm.key));
  await using undo = new AsyncDisposableStack();
  const keys = makeHostKeys(context, name, warm.hostKeys);
  keys.catch(() => undefined); // awaited below
  try {
    await startLocked(context, vm, { force, accelerator, incoming: files.devices, memory: files.memory });
  } catch (error) {
    if (error instanceof IngotError && error.code === 'ram-state-refused') await removeWarmState(context, warm);
    throw error;
  }
  // Its port may be another one now.
  const started = await loadVm(host, home, name);
  const guest = await attachGuest(host, vmSpec(home, started, accelerator));
  if (guest === undefined) throw new IngotError('host', 'warm-identity', `the machine of ${name} ended as soon as it ran`);
  undo.defer(() => guest.kill());
  // The account and its key were there when the machine was saved: that the server answers is enough.
  await host.files.write(guestFiles(guest.spec.folder).ready, String(guest.pid), { mode: 0o600 });
  await adopt(context, guest, warm.pid, {
    hostname: vm.name,
    instanceId: vm.id,
    machineId: vm.id.replaceAll('-', ''),
    mac: vm.mac,
    random: Buffer.from(host.random.bytes(CREDITED_BYTES + SEED_BYTES)).toString('hex'),
    hostKeys: await keys,
  });
  const { pendingIdentity: _, ...finished } = started;
  await saveVm(host, home, finished);
  signal.throwIfAborted();
  undo.move();
  return finished;
}

/** Made here, where it takes no time: under emulation an RSA key alone would take half a minute. */
async function makeHostKeys({ host, home }: LabContext, name: Name, names: readonly string[]): Promise<Record<string, string>> {
  await using scratch = await makeScratch(host, home, `host keys of ${name}`);
  const made = await Promise.all(
    names.map(async (file) => {
      const type = /^ssh_host_(ed25519|ecdsa|rsa)_key$/.exec(file)?.[1];
      if (type === undefined) return [];
      const path = join(scratch.path, file);
      await host.processes.run(['ssh-keygen', '-q', '-t', type, '-N', '', '-C', `root@${name}`, '-f', path]);
      const [secret, open] = await Promise.all([host.files.read(path), host.files.read(`${path}.pub`)]);
      return [[file, Buffer.from(secret).toString('utf8')] as const, [`${file}.pub`, Buffer.from(open).toString('utf8')] as const];
    }),
  );
  return Object.fromEntries(made.flat());
}

/** Hands the identity over, and waits until the SSH server answers, which the guest starts with it. */
async function adopt(context: LabContext, guest: Guest, pid: number, identity: Omit<GuestIdentity, 'time'>): Promise<void> {
  const { host, signal } = context;
  const { agent: socket } = guestFiles(guest.spec.folder);
  const limit = ANSWER_SECONDS[guest.spec.accelerator.kind];
  try {
    await withAgent(
      host,
      socket,
      async (agent) => {
        const handle = z.int().parse(await agent.execute('guest-file-open', { path: IDENTITY_PIPE, mode: 'w' }, limit));
        const told = JSON.stringify({ ...identity, time: host.clock.now().getTime() / 1000 } satisfies GuestIdentity);
        await agent.execute('guest-file-write', { handle, 'buf-b64': Buffer.from(told).toString('base64') }, limit);
        await agent.execute('guest-file-close', { handle }, limit);
        const stop = new AbortController();
        const either = AbortSignal.any([signal, stop.signal]);
        try {
          await Promise.race([guest.waitForSsh({ limit, signal: either }), failure(context, agent, pid, { limit, signal: either })]);
        } finally {
          stop.abort();
        }
      },
      { seconds: limit, signal },
    );
  } catch (error) {
    if (signal.aborted || !(error instanceof IngotError)) throw error;
    throw new IngotError('host', 'warm-identity', `the saved machine did not take an identity of its own: ${error.message}`, { cause: error });
  }
}

/** Rejects when the process that waited for the identity has failed. It is asked seldom: each answer costs an emulated guest as much as a login. */
async function failure({ host }: LabContext, agent: Agent, pid: number, { limit, signal }: { limit: number; signal: AbortSignal }): Promise<never> {
  for (let known = false; ;) {
    await host.clock.sleep(ASK_SECONDS, signal);
    if (known) continue;
    const { exited, exitCode, stderr } = await commandStatus(agent, pid, limit);
    if (exited && exitCode !== 0) throw new IngotError('host', 'warm-identity', stderr.trim().split('\n').at(-1) ?? `it ended with ${exitCode}`);
    known = exited;
  }
}
