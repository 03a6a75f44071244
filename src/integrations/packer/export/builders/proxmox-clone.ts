import { args, block, Code } from '../../hcl/document.ts';
import { sourceName } from '../project.ts';
import { ssh } from '../ssh.ts';
import { variable } from '../variable.ts';
import type { PackerBuilder } from './builder.ts';
import { connection, machine, networkAdapter, plugin } from './proxmox.ts';

export const proxmoxClone: PackerBuilder = {
  use: 'a template on Proxmox VE, from a template that is there',
  installs: false,
  shutdownCommand: false,
  plugin,

  variables: ({ release }) => [
    variable('clone_vm', {
      type: 'string',
      value: release.id.replaceAll('.', '-'),
      description: 'The template that is cloned; cloud-init gives it the account below.',
    }),
    variable('clone_ssh_username', { type: 'string', value: release.defaultUser, description: "The account that the template's cloud-init drive makes." }),
    variable('clone_ssh_password', { type: 'string', value: '', sensitive: true, description: 'Its password, where it has one.' }),
    variable('clone_ssh_private_key_file', { type: 'string', value: '', description: 'The key to its authorized key, where it has one.' }),
  ],

  source(input) {
    return block(
      'source',
      ['proxmox-clone', sourceName(input.template.name)],
      [
        ...connection(),
        ...args({ clone_vm: new Code('var.clone_vm'), full_clone: true }),
        ...machine(input),
        ...ssh({
          ssh_username: new Code('var.clone_ssh_username'),
          ssh_password: new Code('var.clone_ssh_password'),
          ssh_private_key_file: new Code('var.clone_ssh_private_key_file'),
        }),
        networkAdapter(),
      ],
    );
  },
};
