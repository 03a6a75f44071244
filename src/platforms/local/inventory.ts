import * as z from 'zod';
import { quoteCommand } from '../../base/process.ts';
import type { SshAccess } from './guest-spec.ts';
import { addressOf, sshOptionWords } from './ssh.ts';
import type { VmView } from './view.ts';

const hostVarsSchema = z.object({
  ansible_host: z.string(),
  ansible_port: z.int(),
  ansible_user: z.string(),
  ansible_ssh_private_key_file: z.string(),
  ansible_ssh_common_args: z.string(),
});

/** Ansible's static inventory (its yaml plugin, which reads JSON). */
export const inventorySchema = z.object({
  all: z.object({
    hosts: z.record(z.string(), hostVarsSchema),
    children: z.record(z.string(), z.object({ hosts: z.record(z.string(), z.object({})) })),
  }),
});
export type Inventory = z.output<typeof inventorySchema>;

/** A VM, and how one logs in to it. */
export interface InventoryHost {
  readonly vm: Pick<VmView, 'name' | 'state' | 'image'>;
  readonly access: SshAccess;
}

/** Every VM with what Ansible needs to reach it, in the groups that it belongs to. Pure. */
export function ansibleInventory(hosts: readonly InventoryHost[]): Inventory {
  const children: Inventory['all']['children'] = {};
  for (const { vm } of hosts) {
    for (const group of groupsOf(vm)) (children[group] ??= { hosts: {} }).hosts[vm.name] = {};
  }
  return { all: { hosts: Object.fromEntries(hosts.map(({ vm, access }) => [vm.name, varsOf(vm.name, access)])), children } };
}

/** The groups of a VM: by its image, and whether it runs. */
function groupsOf(vm: InventoryHost['vm']): string[] {
  return [groupName('image', imageName(vm.image.reference)), groupName('state', vm.state)];
}

/** A name that Ansible takes for a group: letters, digits and underscores. */
export function groupName(kind: string, name: string): string {
  return `${kind}_${name}`.replaceAll(/[^A-Za-z0-9_]/g, '_');
}

function imageName(reference: string): string {
  return reference.split(/[:@]/)[0] ?? reference;
}

function varsOf(name: string, access: SshAccess): z.output<typeof hostVarsSchema> {
  return {
    ansible_host: addressOf(access),
    ansible_port: access.port,
    ansible_user: access.user,
    ansible_ssh_private_key_file: access.key,
    // Ansible takes it apart as a shell does.
    ansible_ssh_common_args: quoteCommand(sshOptionWords(name, access)),
  };
}
