import type { RoleContent } from '../roles/role.ts';
import { joined, NOTHING, type Changes } from './changes.ts';
import { shell } from './common/shell.ts';
import type { Family } from './family.ts';

/** What a role does to an image of a family, as one layer: its packages, downloads and files, its commands, and at the end its services. */
export function roleChanges(family: Pick<Family, 'services' | 'modules' | 'sysctl' | 'openPorts'>, name: string, content: RoleContent): Changes {
  const { packages, files, run, kernelArguments, downloads } = content;
  const own: Changes = {
    ...NOTHING,
    packages,
    files,
    commands: run.map(({ name: label, script, secret }) => ({ ...shell(label, script), ...(secret === undefined ? {} : { secretStdin: secret }) })),
    kernelArguments,
  };
  const changes = joined([
    family.modules(name, content.modules),
    family.sysctl(name, content.sysctl),
    family.openPorts(name, content.ports),
    own,
    ...content.services.map((service) => family.services(service.name, service.state)),
  ]);
  return downloads.length === 0 ? changes : { ...changes, downloads };
}
