import * as z from 'zod';
import { chosenVms } from '../platforms/local/chosen.ts';
import { sshConfigSection } from '../platforms/local/ssh-config.ts';
import { sshAccess } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNamesInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm ssh-config',
  summary: 'Print an ssh_config by which other tools reach the virtual machines',
  description:
    'One section for each VM, under its name. What uses it (ssh -F, rsync -e, an editor) needs nothing of ingot. A port changes where another program takes it while the VM stands still.',
  kind: 'query',
  input: z.object({ names: vmNamesInput }),
  output: z.array(
    z.object({ name: z.string(), host: z.string(), port: z.int(), user: z.string(), key: z.string(), knownHosts: z.string(), config: z.string() }),
  ),
  examples: [
    { command: 'ingot vm ssh-config > vms.conf && ssh -F vms.conf web', does: 'logs in to the VM web with nothing but ssh' },
    { command: 'ingot vm ssh-config web db', does: 'prints the sections of two VMs' },
  ],
  async run(input, context) {
    return (await chosenVms(context, input.names)).map((vm) => {
      const access = sshAccess(context.home, vm);
      const { port, user, key, knownHosts } = access;
      return { name: vm.name, host: '127.0.0.1', port, user, key, knownHosts, config: sshConfigSection(vm.name, access) };
    });
  },
  render: (vms) => vms.map(({ config }) => config).join('\n'),
});
