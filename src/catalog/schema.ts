import * as z from 'zod';
import { FAMILIES } from './families.ts';
import { repositorySchema } from './repositories.ts';

/** One version of a distribution, as a file of catalog/distros describes it. */
const releaseSchema = z.strictObject({
  id: z.string().describe('What the user writes: debian-12'),
  version: z.string(),
  codename: z.string(),
  eol: z.iso.date().optional().describe('Last day of security support, where one is set'),
  suites: z.array(z.string()).min(1).describe('Suites of the main archive, the base suite first'),
  securitySuite: z.string().optional(),
  components: z.array(z.string()).min(1),
  without: z.array(z.string()).default([]).describe('Packages of the base image that this release does not have'),
  zstdPackages: z.boolean().default(true).describe('Its dpkg reads packages that are compressed by zstd (since 1.21.18)'),
  ext4Features: z.array(z.string()).default([]).describe("Features that older kernels and GRUBs cannot read, as mke2fs's -O takes them"),
});

/** A file of catalog/distros. */
export const distributionSchema = z.strictObject({
  distribution: z.string(),
  name: z.string(),
  family: z.enum(FAMILIES),
  defaultUser: z.string(),
  keyring: z.string().describe('Path below catalog/ of the keys that sign the repositories'),
  fingerprints: z.array(z.string().regex(/^[0-9A-F]{40}$/)).min(1),
  mirrors: z.strictObject({ archive: z.url(), security: z.url() }),
  architectures: z.record(z.string(), z.strictObject({ kernels: z.strictObject({ cloud: z.string(), generic: z.string() }) })),
  releases: z.array(releaseSchema).min(1),
});

export type Distribution = z.output<typeof distributionSchema>;

/** A release together with what its distribution says of all of them. */
export type Release = z.output<typeof releaseSchema> &
  Omit<Distribution, 'releases' | 'keyring'> & {
    /** The keys themselves, ASCII-armoured. */
    readonly keyring: string;
  };

/** The catalog as it is shipped: one JSON document. */
export const catalogSchema = z.object({
  distributions: z.array(distributionSchema),
  keys: z.record(z.string(), z.string()),
  /** The text files of each role's folder, by their path in it. */
  roles: z.record(z.string(), z.record(z.string(), z.string())),
  repositories: z.array(repositorySchema),
});
export type CatalogData = z.output<typeof catalogSchema>;
