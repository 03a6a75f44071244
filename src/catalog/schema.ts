import * as z from 'zod';
import { ARCHITECTURES, checkProof, cloudImageSchema, fingerprintSchema, verification, type Architecture } from './cloud-image-schema.ts';
import { FAMILIES } from './families.ts';
import { provenSchema } from './proven.ts';
import { repositorySchema } from './repositories.ts';
import { TRAP_NAMES } from './traps.ts';

const mirrorsSchema = z.strictObject({ archive: z.url(), security: z.url() });

/** What a distribution says of its images, unless a release says otherwise. */
const imageFacts = {
  defaultUser: z.string().min(1).optional().describe('The user that cloud-init makes'),
  firmware: z
    .array(z.enum(['bios', 'uefi']))
    .min(1)
    .optional()
    .describe('What the images boot with'),
  cpu: z.enum(['x86-64-v2', 'x86-64-v3']).optional().describe('The least level of an amd64 processor that its programs run on; v1 where nothing is said'),
  filesystem: z.enum(['ext4', 'xfs', 'btrfs']).optional().describe('Of the root of its cloud images'),
  boot: z.enum(['grub', 'extlinux', 'systemd-boot']).optional().describe('The boot loader of its cloud images'),
  datasources: z.array(z.string()).optional().describe('What its cloud-init looks for, where that is not everything'),
  subscription: z.enum(['rhel', 'sles']).optional().describe('Packages are only served to who has such a subscription'),
  traps: z.array(z.enum(TRAP_NAMES)).optional(),
};

/** The archive that apt resolves packages from before a build, as a release has it. */
const releaseArchiveSchema = z.strictObject({
  suites: z.array(z.string()).min(1).describe('Suites of the main archive, the base suite first'),
  securitySuite: z.string().optional(),
  components: z.array(z.string()).min(1),
  zstdPackages: z.boolean().default(true).describe('Its dpkg reads packages that are compressed by zstd (since 1.21.18)'),
});

/** What ingot needs to make a base image of packages. */
const releaseBootstrapSchema = z.strictObject({
  without: z.array(z.string()).default([]).describe('Packages of the base image that this release does not have'),
  ext4Features: z.array(z.string()).default([]).describe("Features that older kernels and GRUBs cannot read, as mke2fs's -O takes them"),
});

/** The medium that installs a release on one architecture. */
export const mediumSchema = z.strictObject({
  url: z.url(),
  repository: z.url().optional().describe('Where an installer whose medium holds no packages finds them'),
  ...verification,
});

/** The media that install a release, and by what they are told how. `interactive` is one that cannot be told. */
const installerSchema = z.strictObject({
  method: z.enum(['autoinstall', 'preseed', 'kickstart', 'autoyast', 'agama', 'archinstall', 'setup-alpine', 'interactive']),
  media: z.partialRecord(z.enum(ARCHITECTURES), mediumSchema.superRefine(checkProof)).describe('By architecture'),
});

/** One version of a distribution, as a file of catalog/distros describes it. */
const releaseSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]*$/)
    .describe('What the user writes: debian-12'),
  aliases: z.array(z.string()).default([]).describe('Other words for it'),
  version: z.string().describe("os-release's VERSION_ID, or the part of it before a point"),
  codename: z.string().default(''),
  rolling: z.boolean().default(false).describe('It has no versions, or no end'),
  eol: z.iso.date().optional().describe('Last day of security support, where one is set'),
  extended: z.iso.date().optional().describe('Last day of support that is paid for, or by others'),
  archive: releaseArchiveSchema.optional(),
  bootstrap: releaseBootstrapSchema.optional(),
  installer: installerSchema.optional(),
  images: z.partialRecord(z.enum(ARCHITECTURES), cloudImageSchema).default({}).describe('Its cloud images, by architecture'),
  ...imageFacts,
  notes: z.array(z.string()).default([]).describe('For people'),
});

/** Keys that sign a distribution's images, or their checksums. */
const signingKeySchema = z.strictObject({
  fingerprint: fingerprintSchema,
  owner: z.string().optional().describe('User ID of the key'),
  file: z
    .string()
    .startsWith('keys/')
    .optional()
    .describe('Path below catalog/ of the key; without it the user has to put it into a catalog folder of his own'),
  source: z.string().describe('Where the fingerprint was seen, and the key is from'),
});

/** What a file of catalog/distros holds, each part for itself. */
const distributionShape = z.strictObject({
  distribution: z.string(),
  name: z.string(),
  family: z.enum(FAMILIES),
  osId: z.string().optional().describe("os-release's ID, where it is not the name of the distribution"),
  archive: z
    .strictObject({
      keyring: z.string().startsWith('keys/').describe('Path below catalog/ of the keys that sign the repositories'),
      fingerprints: z.array(fingerprintSchema).min(1),
      mirrors: mirrorsSchema,
      ports: z.partialRecord(z.enum(ARCHITECTURES), mirrorsSchema).default({}).describe('Mirrors of architectures that have others'),
    })
    .optional(),
  bootstrap: z
    .strictObject({ kernels: z.partialRecord(z.enum(ARCHITECTURES), z.strictObject({ cloud: z.string(), generic: z.string() })) })
    .optional()
    .describe('Kernels of a base image that is made of packages, by architecture'),
  keys: z.array(signingKeySchema).default([]),
  ...imageFacts,
  notes: z.array(z.string()).default([]).describe('For people'),
  releases: z.array(releaseSchema).min(1),
});

/** A file of catalog/distros. */
export const distributionSchema = distributionShape.superRefine((distribution, problems) => {
  for (const { path, message } of distributionFaults(distribution)) problems.addIssue({ code: 'custom', path: [...path], message });
});

/** A file of the user's, which may say of a known distribution only what is new. */
export const ownDistributionSchema = distributionShape.partial().required({ distribution: true, releases: true });

/** What is wrong with a distribution as a whole: parts that need others. */
export function distributionFaults(distribution: Distribution): { readonly path: readonly (string | number)[]; readonly message: string }[] {
  const known = new Set(distribution.keys.map(({ fingerprint }) => fingerprint));
  const unknown = (file: { readonly signature?: { readonly fingerprints: readonly string[] } | undefined } | undefined): readonly string[] =>
    (file?.signature?.fingerprints ?? []).filter((fingerprint) => !known.has(fingerprint));
  return distribution.releases.flatMap(({ archive, bootstrap, installer, images }, i) => {
    const fault = (message: string, ...path: string[]): { path: (string | number)[]; message: string } => ({ path: ['releases', i, ...path], message });
    const strange = (fingerprint: string): string => `${fingerprint} is not among the keys of the distribution`;
    return [
      ...(archive !== undefined && distribution.archive === undefined ? [fault('needs an `archive` of the distribution', 'archive')] : []),
      ...(bootstrap !== undefined && (distribution.bootstrap === undefined || archive === undefined)
        ? [fault('needs an `archive`, and a `bootstrap` of the distribution', 'bootstrap')]
        : []),
      ...(bootstrap === undefined && installer === undefined && Object.keys(images).length === 0
        ? [fault('has no `bootstrap`, `images` or `installer`: there is nothing to start from')]
        : []),
      ...Object.entries(images).flatMap(([arch, image]) => unknown(image).map((each) => fault(strange(each), 'images', arch, 'signature', 'fingerprints'))),
      ...Object.entries(installer?.media ?? {}).flatMap(([arch, medium]) =>
        unknown(medium).map((each) => fault(strange(each), 'installer', 'media', arch, 'signature', 'fingerprints')),
      ),
    ];
  });
}

export type Distribution = z.output<typeof distributionShape>;
type ReleaseFile = z.output<typeof releaseSchema>;
export type SigningKey = z.output<typeof signingKeySchema>;

/** The archive of a release: what apt needs to resolve and verify its packages. */
export type ReleaseArchive = z.output<typeof releaseArchiveSchema> &
  Omit<NonNullable<Distribution['archive']>, 'keyring'> & {
    /** The keys themselves, ASCII-armoured. */
    readonly keyring: string;
  };

/** How a base image of a release is made of packages. */
export type ReleaseBootstrap = z.output<typeof releaseBootstrapSchema> & NonNullable<Distribution['bootstrap']>;

/** A release together with what its distribution says of all of them. */
export type Release = Omit<ReleaseFile, 'archive' | 'bootstrap' | 'defaultUser' | 'firmware' | 'traps'> &
  Pick<Distribution, 'distribution' | 'name' | 'family' | 'keys'> & {
    readonly osId: string;
    readonly defaultUser: string;
    readonly firmware: readonly ('bios' | 'uefi')[];
    readonly traps: NonNullable<ReleaseFile['traps']>;
    /** For which ingot can make an image of it, from packages, a cloud image or by an installer. */
    readonly architectures: readonly Architecture[];
    readonly archive?: ReleaseArchive;
    readonly bootstrap?: ReleaseBootstrap;
  };

/** The catalog as it is shipped: one JSON document. */
export const catalogSchema = z.object({
  distributions: z.array(distributionSchema),
  /** Keys, ASCII-armoured, by their path below catalog/. */
  keys: z.record(z.string(), z.string()),
  /** The text files of each role's folder, by their path in it. */
  roles: z.record(z.string(), z.record(z.string(), z.string())),
  repositories: z.array(repositorySchema),
  /** What tests have built and booted. */
  proven: provenSchema.shape.rows,
});
export type CatalogData = z.output<typeof catalogSchema>;
