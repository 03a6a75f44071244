import * as z from 'zod';

/** Architectures that a cloud image can be for, by the names that templates use. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** A primary OpenPGP key, version 4. */
export const fingerprintSchema = z.string().regex(/^[0-9A-F]{40}$/);

const checksumSchema = z.strictObject({
  url: z.url(),
  algorithm: z.enum(['sha256', 'sha512']),
  style: z
    .enum(['gnu', 'bsd', 'single', 'per-file', 'digests', 'json'])
    .describe(
      'gnu: `<hash>  <name>` or `<hash> *<name>` per line; bsd: `SHA256 (<name>) = <hash>`; single: one bare hash; per-file: one GNU line, whose name may ' +
        "be another build's; digests: Gentoo's, GNU lines below `# SHA512 HASH`; json: the hash at `pointer`",
    ),
  pointer: z.string().startsWith('/').optional().describe('Where the hash is in a document of style json (RFC 6901)'),
  inferred: z.boolean().default(false).describe('Follows from a pattern, and was not seen'),
});

const signatureSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('detached'),
      url: z.url(),
      of: z.enum(['checksum', 'image']).describe('What the signature is of: the checksum file, or the (compressed) image itself'),
      fingerprints: z.array(fingerprintSchema).min(1).describe('One of these primary keys, or a subkey of one, has signed'),
      inferred: z.boolean().default(false).describe('Follows from a pattern, and was not seen'),
    })
    .describe('A file of its own, binary or armored'),
  z
    .strictObject({
      kind: z.literal('inline'),
      fingerprints: z.array(fingerprintSchema).min(1).describe('One of these primary keys, or a subkey of one, has signed'),
      inferred: z.boolean().default(false).describe('Follows from a pattern, and was not seen'),
    })
    .describe('The checksum file itself is a clear-signed text'),
]);

const pinnedSchema = z.strictObject({
  url: z.url().describe('A dated file, which does not change but may vanish'),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/),
  size: z.int().positive().optional().describe('Bytes'),
  source: z.string().describe('Where the digest was seen'),
});

/** How a file of a distribution is verified, and how sure its address is. */
export const verification = {
  login: z.string().optional().describe('The URL is a page of downloads behind this login: the file is given by the user, or an address of it'),
  checksum: checksumSchema.optional(),
  signature: signatureSchema.optional(),
  seen: z.string().describe('Where the URL was seen, or from what it was inferred'),
  inferred: z.boolean().default(false).describe('The URL follows from a pattern, and was not seen'),
};

type Proof = z.output<z.ZodObject<typeof verification>>;

/** What is wrong with how a file is verified: parts that need others. */
export function checkProof({ checksum, signature }: Proof, problems: z.RefinementCtx): void {
  const problem = (message: string, ...path: string[]): void => problems.addIssue({ code: 'custom', path, message });
  if ((checksum?.style === 'json') !== (checksum?.pointer !== undefined)) problem('goes with style json, and only with it', 'checksum', 'pointer');
  if (checksum === undefined && (signature?.kind === 'inline' || (signature?.kind === 'detached' && signature.of === 'checksum')))
    problem('is of a checksum file, and there is none', 'signature');
}

/** The cloud image of a release for one architecture. */
export const cloudImageSchema = z
  .strictObject({
    url: z.url().describe('The newest image; with `entry` the folder that holds it, ending with a slash'),
    entry: z.string().min(1).optional().describe('The name of the file, with * for what changes from build to build; the checksum file says the whole name'),
    mirrors: z.array(z.url()).default([]).describe('The same file (or folder) elsewhere, in the order in which they are tried'),
    format: z.enum(['qcow2', 'raw', 'vmdk', 'tar']).describe('After unpacking; tar: the tree of a root file system'),
    compression: z.enum(['none', 'gz', 'xz', 'zst', 'bz2']).default('none'),
    member: z.string().min(1).optional().describe('The file is a tar archive, and this, with * for what changes, is the disk in it'),
    ...verification,
    pinned: pinnedSchema.optional(),
  })
  .superRefine((image, problems) => {
    const problem = (message: string, ...path: string[]): void => problems.addIssue({ code: 'custom', path, message });
    if (image.entry !== undefined && !image.url.endsWith('/')) problem('must end with a slash, since `entry` says the name of the file', 'url');
    if (image.entry !== undefined && (image.checksum === undefined || !['gnu', 'bsd'].includes(image.checksum.style)))
      problem('needs a checksum file of style gnu or bsd, which says the whole name', 'entry');
    checkProof(image, problems);
    if (image.member !== undefined && image.format === 'tar') problem('is of an archive that holds a disk; the tree of format tar has none', 'member');
  });

/** The cloud image of a release for one architecture, as the download takes it. */
export type CloudImage = z.output<typeof cloudImageSchema>;
