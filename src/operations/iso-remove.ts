import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { removeMedium } from '../sources/installer/medium.ts';
import { chosenMedia, isoInput } from './iso-input.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'iso remove',
  summary: 'Remove installers from the cache',
  description: 'What was installed from them stays in the store. The next installation fetches them again.',
  kind: 'query',
  input: z.strictObject(isoInput),
  output: z.strictObject({ removed: z.array(z.strictObject({ release: z.string(), arch: z.string(), name: z.string(), freed: z.int() })) }),
  examples: [{ command: 'ingot iso remove debian-12', does: 'make room' }],
  async run(input, context) {
    const removed = [];
    for (const { release, arch } of await chosenMedia(context, input)) {
      const { name, size } = await removeMedium(context, release, arch);
      removed.push({ release: release.id, arch, name, freed: size });
    }
    return { removed };
  },
  render: ({ removed }) => removed.map(({ name, freed }) => `Removed ${name} (${formatSize(freed)} freed)`).join('\n'),
});
