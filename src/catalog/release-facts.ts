import * as z from 'zod';
import type { CloudImage } from './cloud-image-schema.ts';
import type { Release } from './schema.ts';

/** Where images of a release can come from. */
export const SOURCES = ['packages', 'cloud-image', 'installer'] as const;
export type SourceName = (typeof SOURCES)[number];

/** What proves that a file is the distribution's, the strongest first. */
export const PROOFS = ['signature', 'checksum', 'digest', 'none'] as const;
type Proof = (typeof PROOFS)[number];

/** From what images of a release can start, the way that is taken where nothing is said first. */
export function sourcesOf({ bootstrap, images, installer }: Release): SourceName[] {
  return [
    ...(bootstrap === undefined ? [] : ['packages' as const]),
    ...(Object.keys(images).length === 0 ? [] : ['cloud-image' as const]),
    ...(installer === undefined || installer.method === 'interactive' ? [] : ['installer' as const]),
  ];
}

/** What an image is verified by: a signature against a pinned key, else a checksum alone, else the digest that the catalog pins. */
export function proofOf({ signature, checksum, pinned }: Pick<CloudImage, 'signature' | 'checksum'> & Partial<Pick<CloudImage, 'pinned'>>): Proof {
  if (signature !== undefined) return 'signature';
  if (checksum !== undefined) return 'checksum';
  return pinned === undefined ? 'none' : 'digest';
}

/** Whether the last day of a release's support is over. */
export function hasEnded({ eol }: Pick<Release, 'eol'>, now: Date): boolean {
  return eol !== undefined && eol < now.toISOString().slice(0, 10);
}

/** What is told of every release, as commands give it out. */
export const releaseFactsSchema = z.strictObject({
  id: z.string(),
  aliases: z.array(z.string()),
  name: z.string(),
  distribution: z.string(),
  family: z.string(),
  version: z.string(),
  codename: z.string(),
  architectures: z.array(z.string()),
  sources: z.array(z.enum(SOURCES)),
  /** Last day of security support; null where none is set. */
  eol: z.string().nullable(),
  /** Last day of support that is paid for; null where none is known. */
  extended: z.string().nullable(),
  /** Whether the last day of support is over. */
  ended: z.boolean(),
});

/** The facts of a release on a day. Pure. */
export function releaseFacts(release: Release, now: Date): z.output<typeof releaseFactsSchema> {
  const { id, aliases, name, distribution, family, version, codename, architectures, eol, extended } = release;
  return {
    id,
    aliases: [...aliases],
    name,
    distribution,
    family,
    version,
    codename,
    architectures: [...architectures],
    sources: sourcesOf(release),
    eol: eol ?? null,
    extended: extended ?? null,
    ended: hasEnded(release, now),
  };
}
