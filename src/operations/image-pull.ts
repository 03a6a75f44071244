import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { parseRemoteAddress } from '../remotes/address.ts';
import { pullImage } from '../remotes/pull.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image pull',
  summary: 'Fetch an image from a registry, or from a bucket of an S3 server',
  description:
    'Each byte is proven by its digest, and the image is taken whole or not at all; after a cut, the same command goes on. Where the setting trusted-keys is set, only images that one of those keys (or this ingot) signed are taken.',
  kind: 'job',
  input: z.strictObject({
    from: z
      .string()
      .meta({ positional: true, placeholder: 'ADDRESS' })
      .describe('oci://registry/name:tag, oci://registry/name@sha256:… or s3://bucket/prefix/name:tag; without a tag, latest'),
    as: z.string().optional().meta({ placeholder: 'NAME:TAG' }).describe('What it is called here; default: the last part of the name, and the tag'),
    force: z.boolean().default(false).describe('Move a tag that another image here has'),
    plainHttp: z.boolean().default(false).describe('Without TLS; only from a registry on this machine'),
  }),
  output: z.strictObject({
    reference: z.string(),
    digest: z.string(),
    isNew: z.boolean(),
    blobs: z.int(),
    copied: z.int(),
    bytes: z.int(),
    statements: z.int(),
    signers: z.array(z.string()),
  }),
  examples: [
    { command: 'ingot image pull oci://registry.example/team/web:1.4', does: 'from a registry, as web:1.4' },
    { command: 'ingot image pull s3://images/golden/web --as web:golden', does: 'from a bucket, under another tag' },
  ],
  async run(input, context) {
    const address = parseRemoteAddress(input.from);
    const pulled = await context.events.stage(`pull ${input.from}`, (span) =>
      pullImage(context, address, {
        as: input.as,
        force: input.force,
        plainHttp: input.plainHttp,
        onProgress: (done, total) => span.progress(done, total, 'bytes'),
      }),
    );
    return { ...pulled, signers: [...pulled.signers] };
  },
  render: ({ reference, digest, isNew, blobs, copied, bytes, statements, signers }) =>
    [
      `${reference}  ${digest}${isNew ? '' : ' (was there)'}`,
      `${countOf(copied, 'file')} of ${blobs} fetched, ${formatSize(bytes)}; ${countOf(statements, 'statement')}`,
      ...(signers.length === 0 ? [] : [`signed by ${signers.join(', ')}`]),
    ].join('\n'),
});
