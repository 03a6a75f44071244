import type { Release } from '../catalog/schema.ts';
import { treeLayout } from '../disk/tree-disk.ts';
import { missingAgents, withoutTraps } from '../families/common/agents.ts';
import { NOTHING } from '../families/changes.ts';
import { treeBoot } from '../families/families.ts';
import type { Family } from '../families/family.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { installedPackages, type BaseImage } from './plan.ts';
import type { Section } from './sections.ts';

/**
 * What comes first on a cloud image as it was downloaded, and on what an installer left: the disk is grown to the template's size, what its maker's cloud alone needs is undone, and it is
 * sealed. Pure.
 */
export function preparationSection({ disk }: ResolvedTemplate, release: Release, base: BaseImage): Section {
  const grow = disk.size > base.virtualSize;
  const changes = base.isInstalled === true ? NOTHING : withoutTraps(release);
  return { name: 'preparation', kind: 'preparation', changes, about: { disk: disk.size, grow }, ...(grow ? { grow: true } : {}) };
}

/** What is added to a cloud image, from its repositories and the template's: what starts it, where it came as a tree of files; then the agents that it lacks. Pure. */
export function addedSections(template: ResolvedTemplate, release: Release, family: Family, base: BaseImage): Section[] {
  const boot = bootSection(template, release, base);
  // Packages are served to who is registered; a template's own repositories may have them.
  if (release.subscription !== undefined && template.subscription === undefined && template.system.repositories.length === 0) return boot;
  // Nothing can be added to a system that is updated as a whole, and nothing be had from repositories that are gone.
  if (release.traps.includes('immutable') || release.traps.includes('archived-repositories')) return boot;
  const has = new Set([...installedPackages(base.layers).keys(), ...boot.flatMap(({ changes }) => changes.packages)]);
  const changes = missingAgents(release, family.traits, has);
  return changes.packages.length === 0 ? boot : [...boot, { name: 'agents', kind: 'packages', changes, about: {} }];
}

function bootSection({ arch, kernel }: ResolvedTemplate, release: Release, { tree, virtualSize }: BaseImage): Exclude<Section, { kind: 'step' }>[] {
  if (tree === undefined) return [];
  const layout = treeLayout(tree, { size: virtualSize, arch });
  return [{ name: 'boot', kind: 'boot', about: {}, ...treeBoot(release)(release, { arch, kernel, filesystem: layout.filesystem }, layout) }];
}
