import type { Release } from '../catalog/schema.ts';
import { familyOf } from '../families/families.ts';
import { releaseOf, type FoundBase } from './resolve-base.ts';
import type { Scope } from './scope.ts';

/** Tells, each at its place, what the template asks for and its release or family does not have. */
export function checkSupport(scope: Scope, found: FoundBase | undefined): void {
  const release = releaseOf(scope, found);
  if (release === undefined) return;
  const { update, system, snaps } = scope.loaded.template;
  const security =
    familyOf(release.family).planned === undefined ? familyOf(release.family).traits.securityUpdates : release.archive?.securitySuite !== undefined;
  if (update === 'security' && !security) {
    scope.problem(['update'], `cannot be security: ${release.id} has no security updates apart from all others`, 'Write `update: all`.');
  }
  if (snaps.length > 0 && familyOf(release.family).snaps === undefined) {
    scope.problem(['snaps'], `cannot be installed: ${release.name} has no package of snapd`, 'Leave them away, or start from a Debian or Ubuntu.');
  }
  for (const [i, snap] of snaps.entries()) {
    const nameOf = (item: (typeof snaps)[number]): string => (typeof item === 'string' ? item : item.name);
    if (snaps.findIndex((other) => nameOf(other) === nameOf(snap)) !== i) scope.problem(['snaps', i], `${nameOf(snap)} is there twice`);
  }
  checkFamily(scope, release);
  const { packages, roles } = scope.loaded.template;
  const asked = { update: update !== 'none', packages: packages.length > 0, roles: roles.length > 0 };
  if (release.traps.includes('immutable')) {
    for (const [key, wanted] of Object.entries(asked))
      if (wanted)
        scope.problem([key], `cannot be had: ${release.id} is updated as a whole, and takes no packages`, 'Leave it away; files and services can be added.');
  }
  if (system?.['ubuntu-pro'] !== undefined && release.distribution !== 'ubuntu') {
    scope.problem(['system', 'ubuntu-pro'], `is for Ubuntu alone, and the image is ${release.id}`);
  }
}

/** What not every family has, or has to be told. */
function checkFamily(scope: Scope, { id, family: name }: Release): void {
  const { system } = scope.loaded.template;
  const { traits } = familyOf(name);
  if (system?.selinux !== undefined && !traits.selinux) scope.problem(['system', 'selinux'], `cannot be set: ${id} has no SELinux`, 'Leave it away.');
  for (const [i, { suites }] of (system?.repositories ?? []).entries()) {
    const path = ['system', 'repositories', i];
    if (traits.suites === 'needed' && suites.length === 0)
      scope.problem(path, `needs suites, since ${id} has apt`, 'Write `suites: [./]` for a flat repository.');
    if (traits.suites === 'none' && suites.length > 0) {
      scope.problem([...path, 'suites'], `cannot be given: ${id} has none`, 'Leave them away: `uri` is the folder that holds the index.');
    }
  }
}
