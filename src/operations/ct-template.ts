import * as z from 'zod';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct template',
  summary: 'Make a template of a container',
  description: 'It does not start any more; it must be off, and have no snapshots.',
  kind: 'job',
  input: z.object({ name: containerInput, on: onInput }),
  output: z.object({ name: z.string() }),
  examples: [{ command: 'ingot ct template web --on proxmox:home', does: 'makes the container web a template' }],
  async run(input, context) {
    await onContainer(context, input, 'Converting', (containers, container, span) => containers.toTemplate(container, span));
    return { name: input.name };
  },
  render: ({ name }) => `${name} is a template: the web interface clones it.`,
});
