import type { LabMembership } from './vm-record.ts';
import type { SeedContent } from './seed.ts';
import { vendorOf, vendorText } from './vendor-data.ts';

/** What a member of a lab is told beside its name and its key. */
export interface LabSeed {
  /** Address of the card that every VM has. */
  readonly mac: string;
  readonly network: LabMembership['network'];
  /** Lines of /etc/hosts. */
  readonly hosts: string;
}

/**
 * Seed content with the second card's address and the names of the lab. Both cards are named, since most of the programs that cloud-init configures
 * know cards by their names only. The names are cloud-init's to add once; from then on they are the lab's to change.
 */
export function labSeed(content: SeedContent, { mac, network, hosts }: LabSeed): SeedContent {
  const ethernets = {
    eth0: { match: { macaddress: mac }, 'set-name': 'eth0', dhcp4: true },
    lab0: { match: { macaddress: network.mac }, 'set-name': 'lab0', addresses: [`${network.address}/${network.prefix}`], optional: true },
  };
  const { own, parts } = vendorOf(content.vendorData);
  const names = { manage_etc_hosts: false, write_files: [{ path: '/etc/hosts', append: true, content: hosts }] };
  return {
    ...content,
    networkConfig: `${JSON.stringify({ version: 2, ethernets }, undefined, 2)}\n`,
    vendorData: vendorText({ ...own, ...names }, parts),
  };
}
