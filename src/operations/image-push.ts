import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { parseRemoteAddress } from '../remotes/address.ts';
import { pushImage } from '../remotes/push.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image push',
  summary: 'Send an image to a registry, or to a bucket of an S3 server',
  description:
    "With the image go all statements about it: gate's results, bills of materials, provenance, signatures. What is there already is not sent, and a registry takes layers of sibling images from their repositories. After a cut, the same command goes on. The tag there moves last.",
  kind: 'job',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
    to: z
      .string()
      .meta({ positional: true, placeholder: 'ADDRESS' })
      .describe('oci://registry/name:tag or s3://bucket/prefix/name:tag; without a tag, that of the image'),
    plainHttp: z.boolean().default(false).describe('Without TLS; only to a registry on this machine'),
  }),
  output: z.strictObject({
    address: z.string(),
    digest: z.string(),
    blobs: z.int(),
    sent: z.int(),
    /** Taken from another repository of the registry. */
    mounted: z.int(),
    bytes: z.int(),
    statements: z.int(),
  }),
  examples: [
    { command: 'ingot image push web oci://registry.example/team/web:1.4', does: 'to a registry' },
    { command: 'ingot image push web s3://images/golden/web', does: 'to a bucket' },
  ],
  async run(input, context) {
    const address = parseRemoteAddress(input.to);
    return await context.events.stage(`push ${input.image}`, (span) =>
      pushImage(context, input.image, address, { plainHttp: input.plainHttp, onProgress: (done, total) => span.progress(done, total, 'bytes') }),
    );
  },
  render: ({ address, digest, blobs, sent, mounted, bytes, statements }) =>
    [
      `${address}  ${digest}`,
      `${countOf(sent, 'file')} of ${blobs} sent, ${formatSize(bytes)}${mounted === 0 ? '' : `; ${mounted} taken from other repositories there`}; ${countOf(statements, 'statement')}`,
    ].join('\n'),
});
