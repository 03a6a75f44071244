import type { Release } from '../catalog/schema.ts';
import { missingAgents, withoutTraps } from '../families/common/agents.ts';
import type { Family } from '../families/family.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { installedPackages, type BaseImage } from './plan.ts';
import type { Section } from './sections.ts';

/**
 * What comes first on a cloud image as it was downloaded: the disk is grown to the template's size, what its maker's cloud alone needs is undone, and it is
 * sealed; then the agents that it lacks. Pure.
 */
export function cloudSections({ disk, system, subscription }: ResolvedTemplate, release: Release, family: Family, base: BaseImage): Section[] {
  const grow = disk.size > base.virtualSize;
  const sections: Section[] = [
    { name: 'preparation', kind: 'preparation', changes: withoutTraps(release), about: { disk: disk.size, grow }, ...(grow ? { grow: true } : {}) },
  ];
  // Packages are served to who is registered; a template's own repositories may have them.
  if (release.subscription !== undefined && subscription === undefined && system.repositories.length === 0) return sections;
  // Nothing can be added to a system that is updated as a whole, and nothing be had from repositories that are gone.
  if (release.traps.includes('immutable') || release.traps.includes('archived-repositories')) return sections;
  const changes = missingAgents(release, family.traits, new Set(installedPackages(base.layers).keys()));
  return changes.packages.length === 0 ? sections : [...sections, { name: 'agents', kind: 'packages', changes, about: {} }];
}
