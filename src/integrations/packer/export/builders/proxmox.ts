import { args, block, Code, Interpolated, type HclArgument, type HclBlock } from '../../hcl/document.ts';
import { firmwareOf } from '../install.ts';
import { variable } from '../variable.ts';
import type { BuilderInput, PackerBuilder } from './builder.ts';

/* What both of Packer's builders for Proxmox VE have in common. */

export const plugin: PackerBuilder['plugin'] = { name: 'proxmox', source: 'github.com/hashicorp/proxmox', version: '>= 1.1.3' };

/** Variables of the connection; two files that declare the same would be refused, so they are in one of their own. */
export function connectionVariables(): HclBlock[] {
  return [
    variable('proxmox_url', { type: 'string', value: 'https://proxmox.example.org:8006/api2/json', description: 'Address of the API.' }),
    variable('proxmox_username', { type: 'string', value: 'packer@pve', description: 'User with its realm, or a token: packer@pve!build.' }),
    variable('proxmox_password', {
      type: 'string',
      value: 'change-me',
      sensitive: true,
      description: 'Its password. PKR_VAR_proxmox_password keeps it out of files.',
    }),
    variable('proxmox_node', { type: 'string', value: 'pve', description: 'Node that the machine is made on.' }),
    variable('proxmox_insecure', { type: 'bool', value: false, description: "Do not check the API's certificate." }),
    variable('proxmox_bridge', { type: 'string', value: 'vmbr0', description: 'Bridge of its network card; from there it must reach this host.' }),
    variable('proxmox_storage', { type: 'string', value: 'local-lvm', description: 'Storage of its disk and of its cloud-init drive.' }),
  ];
}

/** Where Proxmox VE is, and who logs in, by those variables. */
export function connection(): HclArgument[] {
  return args({
    proxmox_url: new Code('var.proxmox_url'),
    username: new Code('var.proxmox_username'),
    password: new Code('var.proxmox_password'),
    node: new Code('var.proxmox_node'),
    insecure_skip_tls_verify: new Code('var.proxmox_insecure'),
  });
}

/** The machine, and the template that it becomes. */
export function machine({ template, release }: BuilderInput): HclArgument[] {
  return args({
    vm_name: `packer-${template.name}`.slice(0, 63),
    template_name: template.name.replaceAll('.', '-'),
    template_description: `${release.name} ${release.version}, made by Packer`,
    os: 'l26',
    cpu_type: 'host',
    cores: new Code('var.cpus'),
    memory: new Code('var.memory'),
    scsi_controller: 'virtio-scsi-single',
    qemu_agent: true,
    cloud_init: true,
    cloud_init_storage_pool: new Code('var.proxmox_storage'),
  });
}

/** The machine's one network card. */
export function networkAdapter(): HclBlock {
  return block('network_adapters', [], args({ model: 'virtio', bridge: new Code('var.proxmox_bridge') }));
}

/** The disk that an installation writes. */
export function disk(): HclBlock {
  const body = { type: 'scsi', disk_size: new Interpolated(new Code('var.disk_size'), 'M'), storage_pool: new Code('var.proxmox_storage') };
  return block('disks', [], args({ ...body, storage_pool_type: new Code('var.proxmox_storage_type'), format: 'raw' }));
}

/** Packer before 1.7 knows BIOS alone here. */
export function firmware(input: BuilderInput): HclArgument[] {
  return firmwareOf(input) === 'uefi' ? args({ bios: 'ovmf' }) : [];
}
