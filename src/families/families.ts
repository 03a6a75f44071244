import { IngotError } from '../base/errors.ts';
import type { FamilyName } from '../catalog/families.ts';
import type { Release } from '../catalog/schema.ts';
import { alpine } from './alpine/family.ts';
import { arch } from './arch/family.ts';
import { debian } from './debian/family.ts';
import { rhel } from './rhel/family.ts';
import { suse } from './suse/family.ts';
import type { Family, PlannedPackages } from './family.ts';

/** Every family that ingot can build images of. */
const BY_NAME: Readonly<Record<FamilyName, Family>> = { debian, rhel, suse, arch, alpine };

/** A family by its name, which a release or an image's config says; throws `family-unknown`. */
export function familyOf(name: string): Family {
  const found = Object.entries(BY_NAME).find(([known]) => known === name)?.[1];
  if (found !== undefined) return found;
  throw new IngotError('usage', 'family-unknown', `This ingot does not know the family ${name} of distributions`, {
    hint: `It knows ${Object.keys(BY_NAME).join(', ')}.`,
  });
}

/** The family of a release as it is for that release: where the catalog knows no archive, packages are chosen by the image itself. */
export function familyFor(release: Pick<Release, 'family' | 'archive'>): Family {
  const family = familyOf(release.family);
  if (release.archive !== undefined) return family;
  const { planned: _, ...rest } = family;
  return rest;
}

/** How the packages of a release's images are chosen before the build; throws `base-unsupported` where its images choose them themselves. */
export function plannedPackages(release: Pick<Release, 'id' | 'family'>): PlannedPackages {
  const { planned } = familyOf(release.family);
  if (planned !== undefined) return planned;
  throw new IngotError(
    'usage',
    'base-unsupported',
    `ingot makes no base image of ${release.id}, since packages of the family ${release.family} are not resolved before a build`,
    {
      hint: 'Start from an image: `from: { file: … }` or `from: { url: … }`.',
    },
  );
}

/**
 * How the tree of a release's root file system becomes a machine: by its family, which has to know the packages. Throws `source-unsupported` where ingot does
 * not know how.
 */
export function treeBoot(release: Release): NonNullable<Family['fromTree']> {
  const { fromTree, planned } = familyFor(release);
  if (fromTree !== undefined && (planned === undefined || release.bootstrap !== undefined)) return fromTree;
  throw new IngotError('usage', 'source-unsupported', `ingot does not know how a root file system of ${release.id} becomes a system that starts`, {
    hint: 'Start from a disk: `from: { file: … }`.',
  });
}
