import { IngotError } from '../base/errors.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { findMembers, refuseStrangers } from './found.ts';
import { hostsBlock } from './hosts.ts';
import type { Lab } from './model.ts';
import { networkFor } from './network.ts';
import { planLab, type LabPlan, type PlanOptions } from './plan.ts';
import { findLab, type LabState } from './state.ts';
import { assignAddresses, parseSubnet } from './subnet.ts';

/** What is to be done for a lab, and what is kept of it. */
export interface Prepared {
  readonly plan: LabPlan;
  readonly state: LabState;
  readonly addresses: ReadonlyMap<string, string>;
  readonly prefix: number;
  readonly hosts: ReturnType<typeof hostsBlock>;
  /** The file that was applied last, where it was another one. */
  readonly otherFile: string | undefined;
}

/** Looks at what there is of a lab and plans what makes of it what the file wants; changes nothing. Throws `lab-names-taken`, `lab-network-taken`. */
export async function prepareLab(context: Pick<LabContext, 'host' | 'home'>, lab: Lab, options: PlanOptions): Promise<Prepared> {
  await refuseStrangers(context, lab);
  const [network, found, before] = [await networkFor(context, lab), await findMembers(context, lab.name), await findLab(context.host, context.home, lab.name)];
  const known = new Map([
    ...(before?.members ?? []).map(({ name, address }): [string, string] => [name, address]),
    ...found.map(({ name, lab: { network: card } }): [string, string] => [name, card.address]),
  ]);
  const subnet = parseSubnet(network.subnet);
  const names = lab.members.map(({ name }) => name);
  const addresses = 'refusal' in subnet ? undefined : assignAddresses(subnet, names, known);
  if ('refusal' in subnet || addresses === undefined) {
    throw new IngotError('conflict', 'lab-network-full', `The network ${network.subnet} of the lab ${lab.name} has no room for ${names.length} VMs`, {
      hint: 'Write a larger `network` into the lab file; the VMs are then made anew, with --replace.',
    });
  }
  const entries = names.map((name) => ({ name, address: addresses.get(name) ?? '' }));
  const hosts = hostsBlock(lab.name, entries);
  const state: LabState = {
    v: 1,
    name: lab.name,
    file: lab.file,
    network,
    members: lab.members.map(({ name, vm, after }) => ({ name, vm, address: addresses.get(name) ?? '', after })),
  };
  const plan = planLab(lab.members, found, { addresses, prefix: subnet.prefix, hosts: hosts.hash }, options);
  return { plan, state, addresses, prefix: subnet.prefix, hosts, otherFile: before === undefined || before.file === lab.file ? undefined : before.file };
}
