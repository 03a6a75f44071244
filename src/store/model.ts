import * as z from 'zod';
import { parseDigest, type Digest, type Key } from '../base/types.ts';

/*
 * What the store holds, as data. The layout on disk is an OCI image layout (image-spec v1.1): one manifest per image,
 * whose layers are qcow2 overlays, bottom first, and whose config is an OCI image config with an ingot section.
 */

export { ANNOTATIONS, MEDIA_TYPES } from './media.ts';

/** Text that is a digest. */
export const digestSchema = z.string().transform((text, context): Digest => {
  try {
    return parseDigest(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be sha256: and 64 hexadecimal digits' });
    return z.NEVER;
  }
});

/** Text that is a key. */
export const keySchema = digestSchema.transform((digest) => digest as string as Key);

export const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.int().nonnegative(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.output<typeof descriptorSchema>;

/** A package as it is installed: Debian's name, version and architecture. */
export const packageSchema = z.object({ name: z.string(), version: z.string(), arch: z.string() });
export type InstalledPackage = z.output<typeof packageSchema>;

/** What an image settles of things that a machine has from its platform otherwise. */
export const guestSettingsSchema = z.object({
  /** The same name for each machine. */
  hostname: z.string().optional(),
  /** Where sshd listens; default 22. */
  sshPort: z.int().positive().optional(),
  /** Accounts that the image brings SSH keys or a password for. */
  accounts: z.array(z.object({ name: z.string(), keys: z.boolean(), password: z.boolean() })).optional(),
});
export type GuestSettings = z.output<typeof guestSettingsSchema>;

/** What ingot knows of an image beyond the OCI standard. Part of the config, hence of the image's identity: no time, result or path. */
export const imageDetailsSchema = z.object({
  v: z.literal(1),
  /** The template's name: `debian-12`. */
  template: z.string(),
  release: z.string(),
  family: z.string(),
  kernel: z.string(),
  disk: z.looseObject({
    size: z.int().positive(),
    filesystem: z.string(),
    /** What can start it, where that is not both. */
    firmware: z.enum(['bios', 'uefi', 'both']).optional(),
    /** Whether the root becomes as large as a larger disk when it starts, where it does not. */
    grows: z.boolean().optional(),
    /** Besides the root. */
    partitions: z
      .array(z.looseObject({ mount: z.string(), size: z.int().positive() }))
      .readonly()
      .optional(),
  }),
  defaultUser: z.string(),
  guest: guestSettingsSchema.optional(),
  /** What the template started from, where that is not a release. */
  from: z.object({ reference: z.string(), digest: digestSchema }).optional(),
  /**
   * It is the cloud image of its release as it was downloaded: SHA-256 of the file, and whether a signature vouched for it. `tree`: the file was an archive of a
   * root file system, which ingot put on a disk; nothing starts it yet.
   */
  cloudImage: z.object({ digest: digestSchema, vouched: z.boolean(), tree: z.literal(true).optional() }).optional(),
  /** It is what an installer put on a disk: SHA-256 of its medium, the key of what it was told, and whether a signature vouched for the medium. */
  installed: z.object({ medium: digestSchema, key: keySchema, vouched: z.boolean() }).optional(),
  /** The VM whose disk the last layer is. */
  source: z
    .object({
      vm: z.string(),
      id: z.uuid(),
      snapshot: z.string().optional(),
      /** The moment whose disk it is: part of what it is, not of when the image was made. */
      taken: z.iso.datetime(),
      sealed: z.boolean(),
    })
    .optional(),
  /** Of the kernel, those of the release and the template's own. */
  kernelArguments: z.array(z.string()).optional(),
  /** Repositories that the image itself uses, as it was built. */
  repositories: z.array(z.string()),
  /** The metadata that the packages were resolved from was past its Valid-Until, and the user allowed it. */
  expiredMetadata: z.boolean(),
  /** Bottom first, one for each layer of the manifest. */
  layers: z.array(
    z.object({
      name: z.string(),
      /** `bootstrap`, `role`, `packages`, `run` …; images of older versions have bootstrap layers alone. */
      kind: z.string().optional(),
      key: keySchema,
      /** Added or changed by it. */
      packages: z.array(packageSchema),
      /** Names of those that it took away. */
      removed: z.array(z.string()).optional(),
    }),
  ),
});
export type ImageDetails = z.output<typeof imageDetailsSchema>;

/** The names of the roles in an image, in the order in which they were built; those of the image that it stands on are among them. */
export function rolesOf({ layers }: Pick<ImageDetails, 'layers'>): string[] {
  return [...new Set(layers.flatMap(({ kind, name }) => (kind === 'role' ? [name] : [])))];
}

/** The kind of a layer that is the disk of a VM. */
export const VM_LAYER = 'vm';

/** Whether nobody vouches for the file systems of an image with these layers: it stands on a disk that came from elsewhere, or on one that a VM wrote to. */
export function isForeign(layers: readonly { readonly kind?: string | undefined }[]): boolean {
  return layers[0]?.kind === 'disk' || layers.some(({ kind }) => kind === VM_LAYER);
}

/** OCI image config; `created` is left out on purpose. */
export const imageConfigSchema = z.object({
  architecture: z.string(),
  os: z.literal('linux'),
  'os.version': z.string().optional(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digestSchema) }),
  config: z.object({ Labels: z.record(z.string(), z.string()).optional() }).optional(),
  'dev.ingot.image': imageDetailsSchema,
});
export type ImageConfig = z.output<typeof imageConfigSchema>;

/** What a gate found: the content of a statement of kind `gate`. */
export const gateStatementSchema = z.object({
  v: z.literal(1),
  /** `not-run` where it could not be run or was switched off; never shown as passed. */
  result: z.enum(['passed', 'failed', 'not-run']),
  level: z.enum(['quick', 'full']),
  /** Digest of the gate's own code and checks; with `qemu` and `firmware` it decides whether the result still holds. */
  suite: z.string(),
  qemu: z.string(),
  firmware: z.array(z.string()),
  accelerator: z.string(),
  reason: z.string().optional(),
  checks: z.array(
    z.object({ name: z.string(), result: z.enum(['passed', 'failed', 'not-run']), detail: z.string().optional(), seconds: z.number().optional() }),
  ),
  /** The template's own among the checks, as they run in a guest: a target runs them too. */
  tests: z.array(z.object({ name: z.string(), script: z.string() })).optional(),
  finished: z.iso.datetime(),
});
export type GateStatement = z.output<typeof gateStatementSchema>;

/** The packages of an image as they were read from its disk: the content of a statement of kind `packages`, where its layers do not tell them all. */
export const packagesStatementSchema = z.object({ v: z.literal(1), packages: z.array(packageSchema), read: z.iso.datetime() });
export type PackagesStatement = z.output<typeof packagesStatementSchema>;

/** A signed statement (DSSE v1): base64 of an in-toto statement, and who signed it. The content of a statement of kind `attestation`. */
export const envelopeSchema = z.object({
  payloadType: z.string(),
  payload: z.base64(),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.base64() })).min(1),
});
export type Envelope = z.output<typeof envelopeSchema>;

/** The layer cache's entry: which blob a key made. */
export const layerRecordSchema = z.object({
  v: z.literal(1),
  key: keySchema,
  digest: digestSchema,
  size: z.int().nonnegative(),
  name: z.string(),
  kind: z.string().optional(),
  parent: digestSchema.optional(),
  virtualSize: z.int().positive(),
  created: z.iso.datetime(),
  /** Seconds it took to make, for ETAs. */
  seconds: z.number(),
  packages: z.array(packageSchema),
  removed: z.array(z.string()).optional(),
  /** What went into the key, by name, for `explain`. */
  inputs: z.record(z.string(), z.string()),
});
export type LayerRecord = z.output<typeof layerRecordSchema>;

/** One line of a listing; all from index.json. */
export interface ImageSummary {
  readonly name: string;
  readonly tag: string;
  /** Digest of the manifest: what `name@sha256:…` pins. */
  readonly digest: Digest;
  /** Digest of the config: the image's ID. */
  readonly id: Digest;
  readonly release: string;
  readonly roles: readonly string[];
  readonly virtualSize: number;
  /** Bytes of all its layers, shared ones included. */
  readonly storedSize: number;
  readonly created: string;
  readonly gate: 'passed' | 'failed' | 'not-run';
  /** What `image verify --repair` found wrong with it, where it did. */
  readonly damaged?: string;
}

/** An image with everything about it. */
export interface Image {
  readonly digest: Digest;
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  /** Every `name:tag` that points to it. */
  readonly references: readonly string[];
  readonly created: string;
  readonly gate: GateStatement | undefined;
}
