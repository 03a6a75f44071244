import { args, block, Code, Interpolated } from '../../hcl/document.ts';
import { sourceName } from '../project.ts';
import { ssh } from '../ssh.ts';
import { variable } from '../variable.ts';
import type { PackerBuilder } from './builder.ts';
import { connection, disk, firmware, machine, networkAdapter, plugin } from './proxmox.ts';

export const proxmoxIso: PackerBuilder = {
  use: 'a template on Proxmox VE, installed there from the medium',
  installs: true,
  shutdownCommand: false,
  plugin,

  variables: () => [
    variable('proxmox_iso_storage', { type: 'string', value: 'local', description: 'Storage that the medium is uploaded to.' }),
    variable('proxmox_storage_type', {
      type: 'string',
      value: 'lvm-thin',
      description: "The storage's type: lvm-thin, dir, zfspool, rbd …; Packer before 1.7 asks for it.",
    }),
  ],

  source(input) {
    return block(
      'source',
      ['proxmox-iso', sourceName(input.template.name)],
      [
        ...connection(),
        ...args({
          iso_url: new Code('var.iso_url'),
          iso_checksum: new Code('var.iso_checksum'),
          iso_storage_pool: new Code('var.proxmox_iso_storage'),
          unmount_iso: true,
        }),
        ...machine(input),
        ...firmware(input),
        ...args({
          http_directory: new Interpolated(new Code('path.root'), '/http'),
          boot_wait: new Code('var.boot_wait'),
          boot_command: input.installation?.bootCommand,
        }),
        ...ssh(),
        disk(),
        networkAdapter(),
      ],
    );
  },
};
