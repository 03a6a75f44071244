import * as z from 'zod';
import { inTotoStatement } from '../attest/envelope.ts';
import { PROVENANCE_PREDICATE, provenanceOf } from '../attest/provenance.ts';
import { knownLayers, nameOfImage } from '../attest/sign-image.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image provenance',
  summary: 'Print how an image was made: template, layers with their keys, inputs',
  description:
    'An in-toto statement with SLSA provenance v1, as JSON. The digest of the template is the key of the last layer, which is the hash of all that the resolved template says. The inputs of layers are told as long as the layer cache knows them. `image sign` keeps it, signed, beside the image.',
  kind: 'query',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
  }),
  output: z.record(z.string(), z.unknown()),
  examples: [{ command: 'ingot image provenance web', does: 'what web was made from' }],
  async run(input, context) {
    const image = await openStore(context.host, context.home).resolve(input.image);
    const predicate = provenanceOf(image, await knownLayers(context, image));
    return { ...inTotoStatement({ name: nameOfImage(image), digest: image.digest }, PROVENANCE_PREDICATE, predicate) };
  },
  render: (statement) => JSON.stringify(statement, undefined, 2),
});
