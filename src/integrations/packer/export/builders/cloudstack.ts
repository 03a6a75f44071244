import { args, block, Code, Interpolated } from '../../hcl/document.ts';
import { sourceName } from '../project.ts';
import { ssh } from '../ssh.ts';
import { variable } from '../variable.ts';
import type { PackerBuilder } from './builder.ts';

export const cloudstack: PackerBuilder = {
  use: 'a template on Apache CloudStack, from a template that is there',
  installs: false,
  shutdownCommand: false,
  plugin: { name: 'cloudstack', source: 'github.com/hashicorp/cloudstack', version: '>= 1.0.0' },

  variables: ({ release }) => [
    variable('cloudstack_api_url', { type: 'string', value: 'https://cloudstack.example.org/client/api', description: 'Address of the API.' }),
    variable('cloudstack_api_key', {
      type: 'string',
      value: 'change-me',
      sensitive: true,
      description: 'Key of a user. PKR_VAR_cloudstack_api_key keeps it out of files.',
    }),
    variable('cloudstack_secret_key', { type: 'string', value: 'change-me', sensitive: true, description: 'Secret of that key.' }),
    variable('cloudstack_zone', { type: 'string', value: 'zone1', description: 'Zone, by name or ID.' }),
    variable('cloudstack_network', { type: 'string', value: 'default', description: 'Network, by name or ID; from there it must reach this host.' }),
    variable('cloudstack_service_offering', { type: 'string', value: 'Medium Instance', description: 'Size of the machine, by name or ID.' }),
    variable('cloudstack_source_template', {
      type: 'string',
      value: release.id,
      description: 'The template that it starts from, with cloud-init; by name or ID.',
    }),
    variable('cloudstack_os', { type: 'string', value: 'Other Linux (64-bit)', description: 'Its operating system, as CloudStack calls it.' }),
  ],

  source({ template, release }) {
    return block(
      'source',
      ['cloudstack', sourceName(template.name)],
      [
        ...args({
          api_url: new Code('var.cloudstack_api_url'),
          api_key: new Code('var.cloudstack_api_key'),
          secret_key: new Code('var.cloudstack_secret_key'),
          zone: new Code('var.cloudstack_zone'),
          network: new Code('var.cloudstack_network'),
          service_offering: new Code('var.cloudstack_service_offering'),
          source_template: new Code('var.cloudstack_source_template'),
          use_local_ip_address: true,
          expunge: true,
          template_name: template.name,
          template_display_text: `${release.name} ${release.version}, made by Packer`,
          template_os: new Code('var.cloudstack_os'),
          // cloud-init makes the account that Packer logs in as.
          user_data_file: new Interpolated(new Code('path.root'), '/cloud-init/user-data'),
        }),
        ...ssh(),
      ],
    );
  },
};
