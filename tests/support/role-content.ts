import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostFiles } from '../../src/base/files.ts';
import { hostPath } from '../../src/base/types.ts';
import { roleContent } from '../../src/roles/content.ts';
import { readRoleFolder } from '../../src/roles/folder.ts';
import { loadRole } from '../../src/roles/load.ts';
import { parameterValues } from '../../src/roles/parameters.ts';
import type { Role, RoleContent } from '../../src/roles/role.ts';

const ROLES = fileURLToPath(new URL('../../catalog/roles/', import.meta.url));

/** One release of each family. */
const RELEASES = { debian: 'debian-13', rhel: 'rocky-9', suse: 'opensuse-16', arch: 'arch', alpine: 'alpine-3.22' } as const;

/** A role of the catalog, as it is in the working tree. */
export async function catalogRole(name: string): Promise<Role> {
  return loadRole(await readRoleFolder(hostFiles, hostPath(join(ROLES, name))));
}

export type TestFamily = keyof typeof RELEASES;

/** What a role does to images of a family, under the names of packages that the role uses. Throws where its parameters are refused. */
export async function contentOf(role: Role, family: TestFamily, parameters: Readonly<Record<string, unknown>> = {}): Promise<RoleContent> {
  const { values, faults } = parameterValues(role.head, parameters);
  for (const { error } of faults) throw error;
  const release = RELEASES[family];
  return await roleContent(role, { family, release, distribution: release.replace(/-.*/, ''), arch: 'amd64' }, values, {
    native: (each) => ({ name: each }),
    repository: (each) => Promise.resolve({ name: typeof each === 'string' ? each : each.name, uri: '', suites: [], components: [], key: '' }),
    secret: (secret) => Promise.resolve({ secret, fingerprint: '' }),
  });
}
