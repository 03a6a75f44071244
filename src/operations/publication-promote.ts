import * as z from 'zod';
import { promote } from '../publish/promote.ts';
import { defineOperation } from './operation.ts';
import { onPublication } from './publication-open.ts';
import { publicationInput, publicationLine, publicationLineSchema } from './publication-output.ts';

export default defineOperation({
  name: 'publication promote',
  summary: 'Make a publication the current one of its name',
  description: 'It must be validated. The tag `current` moves there; VMs that stand on the other one stay as they are.',
  kind: 'job',
  input: z.strictObject({ publication: publicationInput }),
  output: publicationLineSchema,
  examples: [{ command: 'ingot publication promote proxmox-home-web-0123456789ab', does: 'after `ingot publish --no-promote`' }],
  run: (input, context) =>
    onPublication(context, input.publication, 'promoting', async (platform, journal) => {
      await promote(context, platform, journal);
      return publicationLine(journal.content);
    }),
  render: ({ id, name, target }) => `${id} is the current ${name} on ${target}`,
});
