import type { RoleFamily } from '../../catalog/roles.ts';
import type { Changes } from '../changes.ts';
import { serviceChanges } from '../common/systemd.ts';

/** What a role of the catalog does to a Debian image. */
export function roleChanges(role: RoleFamily): Changes {
  const services = role.services.map((service) => serviceChanges(service, 'enabled'));
  return {
    packages: [...role.packages, ...services.flatMap(({ packages }) => packages)].toSorted(),
    files: [...role.files, ...services.flatMap(({ files }) => files)],
    commands: services.flatMap(({ commands }) => commands),
    kernelArguments: [],
  };
}
