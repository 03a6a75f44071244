import * as z from 'zod';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image tag',
  summary: 'Give an image another name or tag',
  description: 'A tag that is elsewhere moves. The image that it leaves stays in the store until `ingot image prune`.',
  kind: 'query',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
    tag: z.string().meta({ positional: true }).describe('The new name:tag; a name alone means its tag latest'),
  }),
  output: z.strictObject({ digest: z.string(), references: z.array(z.string()) }),
  examples: [{ command: 'ingot image tag debian-12 debian-12:stable', does: 'call the latest one stable' }],
  async run(input, { host, home }) {
    const { digest, references } = await openStore(host, home).tag(input.image, input.tag);
    return { digest, references: [...references] };
  },
  render: ({ digest, references }) => `${digest} is ${references.join(', ')}`,
});
