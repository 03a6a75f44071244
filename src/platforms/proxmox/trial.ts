import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { makeScratch } from '../../base/scratch.ts';
import type { PlatformContext, Place, PublishedImage, TargetCheck, ValidateOptions } from '../platform.ts';
import { hostPath } from '../../base/types.ts';
import type { z } from 'zod';
import type { interfacesSchema } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { factsOf } from './facts.ts';
import { configOf, destroyOurs, makeMachine, startMachine, type MachineId } from './machines.ts';
import { isTrialOf, trialNotes } from './notes.ts';
import { REQUESTS } from './requests.ts';
import { busyBy } from '../guest-activity.ts';
import { guestChecks, ownTests } from '../guest-login.ts';
import { guestOf } from './vm-config.ts';
import { ensureSshKey } from '../local/ssh.ts';

/** Seconds for the agent to answer, and for an address after that: for a cold boot on a busy node. */
const [AGENT_LIMIT, ADDRESS_LIMIT] = [600, 180];
const PAUSE = 2;

/**
 * Proves what will be a template on a full clone of it: that boots, its agent answers, it gets an address, and lets one in. The clone is gone afterwards. What
 * the guest does not do is a check that failed; only a server that fails is thrown.
 */
export async function tryOut(
  context: PlatformContext,
  client: ProxmoxClient,
  place: Place,
  image: PublishedImage,
  options: ValidateOptions,
): Promise<TargetCheck[]> {
  const { span } = options;
  const before = factsOf(place);
  const source = before.machine;
  if (source === undefined) throw new IngotError('internal', 'machine-missing', 'Nothing was imported that could be tried out');
  const ours = (notes: string | undefined): boolean => isTrialOf(notes, before.publication);
  if ((await configOf(client, { node: before.node, vmid: source.vmid })) === undefined) {
    throw new IngotError('not-found', 'machine-gone', `VM ${source.vmid} on ${before.node}, which was to be tried out, is gone`, {
      hint: `Publish again after \`ingot publication remove ${before.publication}\`.`,
    });
  }
  if (before.trial !== undefined) await removeTrial(client, place, ours);
  await using undo = new AsyncDisposableStack();
  // The trial is removed after Ctrl-C too.
  undo.defer(() => removeTrial(client.undoing(), place, ours));
  const { node } = before;
  const vmid = await makeMachine(client, {
    node,
    ids: before.ids,
    what: (id) => `cloning VM ${source.vmid} to the trial VM ${id}`,
    request: (newid) =>
      REQUESTS.cloneVm(
        { node, vmid: source.vmid },
        {
          newid,
          name: `trial-${before.name}`.slice(0, 60).replace(/-+$/, ''),
          description: trialNotes(before.publication),
          full: true,
          storage: before.diskStorage,
          pool: before.pool,
        },
      ),
    isOurs: ours,
    also: [source.vmid],
    record: (id) => place.record({ trial: id === undefined ? undefined : { vmid: id } }),
    span,
  });
  const machine = { node, vmid };
  const key = options.ssh ? await ensureSshKey(context.host, context.home) : undefined;
  const user = image.details.defaultUser;
  if (key !== undefined) await client.call(REQUESTS.setConfig(machine, { ...guestOf({ sshKeys: [key.publicKey] }, user) }));
  const checks: TargetCheck[] = [];
  const check = async (name: string, work: () => Promise<string | undefined>): Promise<boolean> => {
    const result = await checked(client, name, span, work);
    checks.push(result);
    return result.result === 'passed';
  };
  let address: string | undefined;
  const booted =
    (await check('start', () => startMachine(client, machine, span).then(() => undefined))) &&
    (await check('guest agent', () => waitForAgent(client, machine))) &&
    (await check('address', async () => (address = await waitForAddress(client, machine))));
  if (booted && address !== undefined && key !== undefined) {
    await using scratch = await makeScratch(context.host, context.home, `the trial of ${image.reference}`);
    const access = { address, port: 22, user, key: key.path, knownHosts: hostPath(join(scratch.path, 'known_hosts')) };
    const guest = { name: `trial-${vmid}`, access, stillBusy: busyBy(context.host.clock, () => activityOf(client, machine)) };
    const inside = await guestChecks(context, guest, span);
    checks.push(...inside);
    if (inside[0]?.result === 'passed') checks.push(...(await ownTests(context, guest, image.tests, span)));
  } else {
    const why = booted ? 'without a login (--no-ssh), nothing inside was looked at' : 'the guest did not come so far';
    checks.push({ name: 'login', result: 'not-run', detail: why }, { name: 'cloud-init', result: 'not-run', detail: why });
  }
  return checks;
}

async function removeTrial(client: ProxmoxClient, place: Place, ours: (notes: string | undefined) => boolean): Promise<void> {
  const { node, trial, machine } = factsOf(place);
  if (trial === undefined) return;
  await destroyOurs(client, { node, vmid: trial.vmid }, ours, machine === undefined ? [] : [machine.vmid]);
  await place.record({ trial: undefined });
}

/** A check is a failed one where the guest, or the VM's start, failed; a server that cannot be reached says nothing about the image. */
async function checked(client: ProxmoxClient, name: string, span: Span | undefined, work: () => Promise<string | undefined>): Promise<TargetCheck> {
  const start = client.host.clock.monotonic();
  const seconds = (): number => Math.round((client.host.clock.monotonic() - start) / 100) / 10;
  const shown = span?.child('check', name);
  try {
    const detail = await work();
    shown?.end('done');
    return { name, result: 'passed', seconds: seconds(), ...(detail === undefined ? {} : { detail }) };
  } catch (error) {
    shown?.end('failed');
    if (!(error instanceof IngotError) || !['guest-silent', 'task-failed', 'server-failed', 'task-timeout'].includes(error.code)) throw error;
    return { name, result: 'failed', seconds: seconds(), detail: error.detail === undefined ? error.message : `${error.message}\n${error.detail}` };
  }
}

/** What a guest has read, written and sent so far; nothing where the node does not say it. */
export async function activityOf(client: ProxmoxClient, machine: MachineId): Promise<string | undefined> {
  const { diskread, diskwrite, netout } = await client.call(REQUESTS.status(machine));
  return diskread === undefined && diskwrite === undefined && netout === undefined ? undefined : `${diskread} ${diskwrite} ${netout}`;
}

/** Waits for a guest's agent. Throws `guest-silent`. */
export async function waitForAgent(client: ProxmoxClient, machine: MachineId): Promise<undefined> {
  return await waitFor(client, machine, 'its guest agent', AGENT_LIMIT, async () => {
    await client.call({ ...REQUESTS.agentPing(machine), repeatable: true });
    return { value: undefined };
  });
}

/** The address of a guest, by its agent; waits until there is one. Throws `guest-silent`. */
export async function waitForAddress(client: ProxmoxClient, machine: MachineId): Promise<string> {
  return await waitFor(client, machine, 'an address', ADDRESS_LIMIT, async () => {
    const address = addressIn(await client.call(REQUESTS.interfaces(machine)));
    return address === undefined ? undefined : { value: address };
  });
}

/** The address of a container, once it has one. Throws `guest-silent`. */
export async function waitForContainer(client: ProxmoxClient, machine: MachineId, ask: () => Promise<string | undefined>): Promise<string> {
  return await waitFor(client, machine, 'an address', ADDRESS_LIMIT, async () => {
    const address = await ask();
    return address === undefined ? undefined : { value: address };
  });
}

/** The address at which a guest is reached: IPv4 before IPv6, none of its own loopback, links or containers. Pure. */
export function addressIn({ result }: z.output<typeof interfacesSchema>): string | undefined {
  const addresses = result
    .filter(({ name }) => !/^(?:lo|docker|br-|veth|virbr|cni|flannel|cali)/.test(name))
    .flatMap((one) => one['ip-addresses'] ?? [])
    .filter((one) => !/^(?:127\.|169\.254\.|::1$|fe80:)/i.test(one['ip-address']));
  const best = addresses.find((one) => one['ip-address-type'] === 'ipv4') ?? addresses[0];
  return best?.['ip-address'];
}

/** Asks until there is an answer. A guest that is not so far answers with an error; one that has stopped never will. Throws `guest-silent` with what was seen last. */
async function waitFor<T>(
  client: ProxmoxClient,
  machine: MachineId,
  what: string,
  limit: number,
  ask: () => Promise<{ readonly value: T } | undefined>,
): Promise<T> {
  const { clock } = client.host;
  const start = clock.monotonic();
  let last = 'nothing was answered';
  for (;;) {
    try {
      const found = await ask();
      if (found !== undefined) return found.value;
    } catch (error) {
      if (!(error instanceof IngotError) || (error.code !== 'agent-silent' && error.code !== 'server-failed')) throw error;
      last = error.message;
    }
    const { status } = await client.call(REQUESTS.status(machine));
    if (status !== 'running') throw new IngotError('command', 'guest-silent', `VM ${machine.vmid} has stopped (${status}) while ${what} was waited for`);
    const waited = (clock.monotonic() - start) / 1000;
    if (waited > limit)
      throw new IngotError('timeout', 'guest-silent', `Waited ${Math.round(waited)} s in vain for ${what} of VM ${machine.vmid}`, { detail: last });
    await clock.sleep(PAUSE, client.signal);
  }
}
