import type { Release } from '../catalog/schema.ts';
import type { LoaderRecipe } from '../disk/recipe.ts';
import { NOTHING, type Changes } from '../families/changes.ts';
import { familyFor } from '../families/families.ts';
import type { Family } from '../families/family.ts';
import type { ChangeRecipe } from '../families/recipe.ts';
import { roleChanges } from '../families/roles.ts';
import type { ResolvedStep, ResolvedTemplate } from '../template/template.ts';
import { subscriptionMissing } from '../template/subscription-missing.ts';
import { addedSections, preparationSection } from './cloud-sections.ts';
import { installedPackages, type BaseImage } from './plan.ts';

/** A layer to be, before its packages are resolved: one for each role, the package list, each part of the configuration, and each step. */
export type Section =
  | {
      readonly name: string;
      readonly kind: ChangeRecipe['kind'];
      readonly changes: Changes;
      /** What else its key holds. */ readonly about: Readonly<Record<string, unknown>>;
      /** Besides `changes`, what is installed below is brought up to date; where all of it is, there is no layer. */
      readonly update?: UpdateScope;
      /** The root is made as large as the disk, first of all. */
      readonly grow?: true;
      /** Put on the disk after the commands. */
      readonly loader?: LoaderRecipe;
    }
  | { readonly name: string; readonly kind: 'step'; readonly step: Extract<ResolvedStep, { kind: 'run' | 'script' | 'ansible' | 'copy' }> };

/** Every package that has a newer version, or those that have one with security fixes. */
export type UpdateScope = Exclude<ResolvedTemplate['update'], 'none'>;

/** What a section asks of the repositories, as a lock file says it: names of packages, or which updates. */
export function wantedBy(section: Section): readonly string[] {
  if (section.kind === 'step') return [];
  return section.update === undefined ? section.changes.packages : [section.update === 'all' ? 'every update' : 'security updates'];
}

/**
 * The layers of a template above what it starts from, in order: first what a cloud image or an installed system needs, then what many images share (roles), then what is this one's own.
 * Throws `subscription-missing`. Pure.
 */
export function sectionsOf(template: ResolvedTemplate, release: Release, base?: BaseImage): Section[] {
  const { system, users, network, packages } = template;
  const family = familyFor(release);
  const isForeignSystem = base?.isCloudImage === true || base?.isInstalled === true;
  const sections: Section[] = isForeignSystem ? [preparationSection(template, release, base)] : [];
  const add = (name: string, kind: ChangeRecipe['kind'], changes: Changes, about: Readonly<Record<string, unknown>> = {}): void => {
    const { packages: names, files, commands, kernelArguments, downloads = [] } = changes;
    if ([names, files, commands, kernelArguments, downloads].some((list) => list.length > 0)) sections.push({ name, kind, changes, about });
  };
  const early = family.system(system, release);
  // What came as a tree of files has no kernel yet, and gets the right one.
  if (base !== undefined && base.tree === undefined && base.kernel !== template.kernel && release.bootstrap !== undefined && family.planned !== undefined) {
    const installed = [...installedPackages(base.layers).keys()];
    add('kernel', 'kernel', family.planned.otherKernel(release, { arch: template.arch, to: template.kernel, installed }));
  }
  add('repositories', 'repositories', family.repositories(system.repositories));
  if (isForeignSystem) sections.push(...addedSections(template, release, family, base));
  if (template.update !== 'none') sections.push({ name: 'update', kind: 'update', changes: NOTHING, about: {}, update: template.update });
  for (const { name, version, content } of template.roles) add(name, 'role', roleChanges(family, name, content), { role: name, version });
  add('packages', 'packages', { ...NOTHING, packages: packages.toSorted() });
  // After all packages, so that those of the subscription replace them.
  if (family.ubuntuPro !== undefined && system.ubuntuPro !== undefined) add('ubuntu-pro', 'ubuntu-pro', family.ubuntuPro(system.ubuntuPro));
  if (family.snaps !== undefined) add('snaps', 'snaps', family.snaps(template.snaps));
  add('users', 'users', family.users(users, release));
  add('system', 'system', early);
  if (network !== undefined) add('network', 'network', family.network(network));
  for (const step of template.steps) sections.push(stepSection(step, family));
  const served = release.subscription === undefined || template.subscription !== undefined || system.repositories.length > 0;
  return served || base === undefined ? sections : sections.map((section) => withoutFetching(section, release, base));
}

/** Where nothing can be fetched, what is in the image already is not asked for again. Throws `subscription-missing` for what is not. */
function withoutFetching(section: Section, release: Release, base: BaseImage): Section {
  if (section.kind === 'step') return section;
  const there = installedPackages(base.layers);
  const missing = section.changes.packages.filter((name) => !there.has(name));
  if (missing.length > 0) throw subscriptionMissing(release, `${section.name} needs ${missing.join(', ')}`);
  return { ...section, changes: { ...section.changes, packages: [] } };
}

function stepSection(step: ResolvedStep, family: Family): Section {
  if (step.kind === 'file') {
    const { path, content, mode, owner } = step;
    return { name: step.label, kind: 'file', changes: { ...NOTHING, files: [{ path, content, mode, owner }] }, about: {} };
  }
  if (step.kind === 'service') return { name: step.label, kind: 'service', changes: family.services(step.service, step.state), about: {} };
  return { name: step.label, kind: 'step', step };
}
