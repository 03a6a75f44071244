import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { IngotError } from '../../base/errors.ts';
import { lockName } from '../name-lock.ts';
import type { PlatformContext } from '../platform.ts';
import type { RemoteAccess, RemoteVm } from '../remote-vms.ts';
import type { CsForward, CsNetwork } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { tagsOf } from './marks.ts';
import { ifAllowed } from './probe.ts';
import { REQUESTS } from './requests.ts';
import { isPrivate, ownAddressTowards } from './serve-address.ts';
import type { CloudStackTarget } from './target.ts';
import { addressIn, defaultCard, existingInstance, USER_TAG, VM_TAG } from './vm-view.ts';

/*
 * How an instance is reached from here: at its own address where its network is not behind address translation or this host is on it; else by a forwarded port
 * of the network's public address, which lets in this host alone.
 */

/** Seconds for an address to appear, and between questions. */
const [ADDRESS_LIMIT, PAUSE] = [300, 3];
/** Public ports for SSH, from here on. */
const [FIRST_PORT, PORTS] = [20_000, 10_000];
const SSH = 22;

/** Waits until the guest has an address, and makes the way there. Throws `guest-silent`, `access-missing`, `access-from-unknown`. */
export async function accessVm(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget, vm: RemoteVm): Promise<RemoteAccess> {
  const { instance, address } = await waitForAddress(client, vm);
  const user = tagsOf(instance)[USER_TAG] ?? 'root';
  const identity = `${vm.on}-${vm.id}`;
  const card = defaultCard(instance);
  const networks = await client.all(REQUESTS.networks(instance.zoneid ?? ''));
  const network = networks.find(({ id }) => id === card?.networkid);
  if (network === undefined || !(await needsForward(network, address, card?.netmask))) return { address, port: SSH, user, identity };
  await using _lock = await lockName(context, target, vm.name);
  const { publicAddress, port } = await ensureForward(client, target, vm, network);
  return { address: publicAddress, port, user, identity };
}

async function waitForAddress(client: CloudStackClient, vm: RemoteVm) {
  const { clock } = client.host;
  const start = clock.monotonic();
  for (;;) {
    const instance = await existingInstance(client, vm);
    const address = addressIn(instance);
    if (address !== undefined) return { instance, address };
    if ((clock.monotonic() - start) / 1000 > ADDRESS_LIMIT) {
      throw new IngotError('timeout', 'guest-silent', `${vm.name} runs, and CloudStack knows no address of it after ${ADDRESS_LIMIT} s`, {
        hint: 'A network without DHCP (L2) has none that it knows.',
      });
    }
    await clock.sleep(PAUSE, client.signal);
  }
}

async function needsForward({ type, ip4routing }: CsNetwork, address: string, netmask: string | undefined): Promise<boolean> {
  if (type !== 'Isolated' || ip4routing !== undefined || !isIPv4(address)) return false;
  const own = await ownAddress(address);
  return own === undefined || netmask === undefined || !isSameNetwork(own, address, netmask);
}

async function ownAddress(towards: string): Promise<string | undefined> {
  try {
    return await ownAddressTowards(`http://${towards}`);
  } catch {
    // No way leads there.
    return undefined;
  }
}

/** Whether two addresses are of the network that a mask makes of either. */
export function isSameNetwork(a: string, b: string, netmask: string): boolean {
  if (![a, b, netmask].every(isIPv4)) return false;
  const [left, right, mask] = [a, b, netmask].map((text) => text.split('.').map(Number));
  return [0, 1, 2, 3].every((index) => ((left?.[index] ?? 0) & (mask?.[index] ?? 0)) === ((right?.[index] ?? 0) & (mask?.[index] ?? 0)));
}

async function ensureForward(
  client: CloudStackClient,
  target: CloudStackTarget,
  vm: RemoteVm,
  network: CsNetwork,
): Promise<{ readonly publicAddress: string; readonly port: number }> {
  if (network.vpcid !== undefined) {
    throw new IngotError('usage', 'access-missing', `${vm.name} is on a tier of a VPC, where access lists decide who is let in`, {
      hint: `Make the way there in the web interface, or run ingot on a host of ${network.name}.`,
    });
  }
  const addresses = (await client.all(REQUESTS.publicAddresses(network.id))).filter(({ isstaticnat }) => !isstaticnat);
  const best = addresses.find(({ issourcenat }) => issourcenat) ?? addresses[0];
  if (best === undefined) {
    throw new IngotError('host', 'access-missing', `The network ${network.name} has no public address through which ${vm.name} could be reached`, {
      hint: 'Acquire one for it (Network, Public IP addresses), or run ingot on a host of that network.',
    });
  }
  const from = target.defaults.sshFrom ?? (await ownCidr(best.ipaddress));
  const mine = async (): Promise<CsForward | undefined> => (await client.all(REQUESTS.forwards(best.id))).find((one) => leadsTo(one, vm));
  const forward = (await mine()) ?? (await makeForward(client, vm, network, best.id, mine));
  if (tagsOf(forward)[VM_TAG] === undefined) {
    const tagged = async (): Promise<true | undefined> => (tagsOf((await mine()) ?? { tags: [] })[VM_TAG] === vm.name ? true : undefined);
    await client.work(REQUESTS.createTags(forward.id, 'PortForwardingRule', { [VM_TAG]: vm.name }), { what: `tagging the way to ${vm.name}`, look: tagged });
  }
  const port = forward.publicport;
  const opened = async (): Promise<true | undefined> => {
    const rules = await client.all(REQUESTS.firewallRules(best.id));
    return rules.some((rule) => rule.startport === port && rule.endport === port && rule.cidrlist.split(',').includes(from)) ? true : undefined;
  };
  if ((await opened()) !== true) {
    await client.work(REQUESTS.createFirewallRule(best.id, port, [from]), { what: `letting ${from} in to port ${port} of ${best.ipaddress}`, look: opened });
  }
  return { publicAddress: best.ipaddress, port };
}

/** Whether a rule is the one that ingot makes to the SSH port of a VM. */
function leadsTo({ virtualmachineid, privateport, publicport }: CsForward, { id }: RemoteVm): boolean {
  return virtualmachineid === id && privateport === SSH && publicport >= FIRST_PORT && publicport < FIRST_PORT + PORTS;
}

async function makeForward(
  client: CloudStackClient,
  { id, name }: RemoteVm,
  network: CsNetwork,
  ipaddressid: string,
  mine: () => Promise<CsForward | undefined>,
): Promise<CsForward> {
  const taken = new Set((await client.all(REQUESTS.forwards(ipaddressid))).map(({ publicport }) => publicport));
  // Where others make theirs at the same time, they begin elsewhere.
  const begin = createHash('sha256').update(id).digest().readUInt32BE(0) % PORTS;
  const port = Array.from({ length: PORTS }, (_, index) => FIRST_PORT + ((begin + index) % PORTS)).find((one) => !taken.has(one));
  if (port === undefined) throw new IngotError('conflict', 'access-missing', `No port of the public address of ${network.name} is free`);
  const request = REQUESTS.createForward({ ipaddressid, networkid: network.id, virtualmachineid: id, privateport: SSH, publicport: port });
  return (await client.work(request, { what: `forwarding port ${port} to ${name}`, look: mine })).value;
}

/** The address of this host as the cloud sees it, which alone is let in. Throws `access-from-unknown`. */
async function ownCidr(publicAddress: string): Promise<string> {
  const own = await ownAddress(publicAddress);
  if (own !== undefined && (!isPrivate(own) || isPrivate(publicAddress))) return `${own}/32`;
  throw new IngotError('usage', 'access-from-unknown', `This host comes from a private network, and is seen at ${publicAddress} with another address`, {
    hint: '`ingot target add … --ssh-from CIDR --replace` says which: only that is let in.',
  });
}

/** Removes the way to a VM, the firewall's rules first: they are found by the port that leads to it. */
export async function removeAccess(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget, vm: RemoteVm): Promise<void> {
  // Who may not see rules has made none.
  const rules = await ifAllowed(client, REQUESTS.forwards());
  const mine = (rules ?? []).filter((one) => leadsTo(one, vm));
  if (mine.length === 0) return;
  await using _lock = await lockName(context, target, vm.name);
  for (const { id, ipaddressid = '', publicport } of mine) {
    const opened = async () =>
      (await client.all(REQUESTS.firewallRules(ipaddressid))).filter((one) => one.startport === publicport && one.endport === publicport);
    for (const rule of await opened()) {
      const closed = async (): Promise<true | undefined> => ((await opened()).some((one) => one.id === rule.id) ? undefined : true);
      await client.work(REQUESTS.deleteFirewallRule(rule.id), { what: `closing port ${publicport}, which led to ${vm.name}`, look: closed });
    }
    const gone = async (): Promise<true | undefined> => ((await client.all(REQUESTS.forwards(ipaddressid))).some((one) => one.id === id) ? undefined : true);
    await client.work(REQUESTS.deleteForward(id), { what: `removing the way to ${vm.name}`, look: gone });
  }
}
