import type { Release } from '../catalog/schema.ts';
import { roleFor, type Role } from '../catalog/roles.ts';
import { networkChanges } from '../families/debian/network.ts';
import { roleChanges } from '../families/debian/roles.ts';
import { serviceChanges } from '../families/debian/services.ts';
import { repositoryFiles, systemChanges } from '../families/debian/system.ts';
import { usersChanges } from '../families/debian/users.ts';
import type { Changes } from '../families/changes.ts';
import type { ChangeRecipe } from '../families/recipe.ts';
import type { ResolvedStep, ResolvedTemplate } from '../template/template.ts';

/** A layer to be, before its packages are resolved: one for each role, the package list, each part of the configuration, and each step. */
export type Section =
  | {
      readonly name: string;
      readonly kind: ChangeRecipe['kind'];
      readonly changes: Changes;
      /** What else its key holds. */ readonly about: Readonly<Record<string, unknown>>;
    }
  | { readonly name: string; readonly kind: 'step'; readonly step: Extract<ResolvedStep, { kind: 'run' | 'script' | 'ansible' | 'copy' }> };

const NONE: Changes = { packages: [], files: [], commands: [], kernelArguments: [] };

/**
 * The layers of a template above what it starts from, in order: first what many images share (roles), then what is this one's own. Pure.
 */
export function sectionsOf(template: ResolvedTemplate, release: Release, roles: readonly Role[]): Section[] {
  const { system, users, network, packages } = template;
  const sections: Section[] = [];
  const add = (name: string, kind: ChangeRecipe['kind'], changes: Changes, about: Readonly<Record<string, unknown>> = {}): void => {
    if ([changes.packages, changes.files, changes.commands, changes.kernelArguments].some((list) => list.length > 0))
      sections.push({ name, kind, changes, about });
  };
  const early = systemChanges(system, release);
  add('repositories', 'repositories', { ...NONE, files: repositoryFiles(system.repositories) });
  template.roles.forEach(({ name, version, parameters }, i) => {
    const role = roles[i];
    if (role !== undefined) add(name, 'role', roleChanges(roleFor(role, release.family, parameters)), { role: name, version, parameters });
  });
  add('packages', 'packages', { ...NONE, packages: packages.toSorted() });
  add('users', 'users', usersChanges(users, release));
  add('system', 'system', early);
  if (network !== undefined) add('network', 'network', networkChanges(network));
  for (const step of template.steps) sections.push(stepSection(step));
  return sections;
}

function stepSection(step: ResolvedStep): Section {
  if (step.kind === 'file') {
    const { path, content, mode, owner } = step;
    return { name: step.label, kind: 'file', changes: { ...NONE, files: [{ path, content, mode, owner }] }, about: {} };
  }
  if (step.kind === 'service') return { name: step.label, kind: 'service', changes: serviceChanges(step.service, step.state), about: {} };
  return { name: step.label, kind: 'step', step };
}
