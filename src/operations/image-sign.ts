import * as z from 'zod';
import { signImage } from '../attest/sign-image.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image sign',
  summary: 'Sign images, with bills of materials and provenance',
  description:
    "The bills of materials (CycloneDX and SPDX), the provenance and the image itself with its gate's results are each signed (Ed25519, in-toto statements in DSSE envelopes) and kept beside the image; `image push` takes them along. The key is made at first use and kept in the secret store as `signing-key`; in CI, INGOT_SECRET_SIGNING_KEY gives it.",
  kind: 'job',
  input: z.strictObject({
    images: z.array(z.string()).min(1).meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
  }),
  output: z.strictObject({
    key: z.string(),
    keyId: z.string(),
    images: z.array(z.strictObject({ image: z.string(), digest: z.string(), predicates: z.array(z.string()) })),
  }),
  examples: [{ command: 'ingot image sign web', does: 'sign what was built' }],
  async run(input, context) {
    const signed = [];
    for (const reference of input.images) {
      const { image, key, predicates } = await context.events.stage(`sign ${reference}`, () => signImage(context, reference));
      signed.push({ key, said: { image: reference, digest: String(image.digest), predicates } });
    }
    const key = signed[0]?.key;
    return { key: key?.text ?? '', keyId: key?.id ?? '', images: signed.map(({ said }) => said) };
  },
  render: ({ key, images }) =>
    [...images.map(({ image, digest, predicates }) => `${image}  ${digest}  ${countOf(predicates.length, 'statement')}`), `Signed with ${key}`].join('\n'),
});
