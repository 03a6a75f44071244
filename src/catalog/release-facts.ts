import type { CloudImage } from './cloud-image-schema.ts';
import type { Release } from './schema.ts';

/** Where images of a release can come from; from an installer none is made yet. */
export const SOURCES = ['packages', 'cloud-image', 'installer'] as const;
export type SourceName = (typeof SOURCES)[number];

/** What proves that a file is the distribution's, the strongest first. */
export type Proof = 'signature' | 'checksum' | 'digest' | 'none';

/** From what images of a release can start, the way that is taken where nothing is said first. */
export function sourcesOf({ bootstrap, images, installer }: Release): SourceName[] {
  return [
    ...(bootstrap === undefined ? [] : ['packages' as const]),
    ...(Object.keys(images).length === 0 ? [] : ['cloud-image' as const]),
    ...(installer === undefined ? [] : ['installer' as const]),
  ];
}

/** What an image is verified by: a signature against a pinned key, else a checksum alone, else the digest that the catalog pins. */
export function proofOf({ signature, checksum, pinned }: Pick<CloudImage, 'signature' | 'checksum' | 'pinned'>): Proof {
  if (signature !== undefined) return 'signature';
  if (checksum !== undefined) return 'checksum';
  return pinned === undefined ? 'none' : 'digest';
}

/** Whether the last day of a release's support is over. */
export function hasEnded({ eol }: Pick<Release, 'eol'>, now: Date): boolean {
  return eol !== undefined && eol < now.toISOString().slice(0, 10);
}
