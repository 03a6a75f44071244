import * as z from 'zod';
import { listPublications } from '../publish/journal.ts';
import { formatAge } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { publicationLine, publicationLineSchema } from './publication-output.ts';
import { renderTable, type Cell } from './table.ts';

export default defineOperation({
  name: 'publication list',
  summary: 'List what was published where, and how far each is',
  kind: 'query',
  input: z.strictObject({ name: z.string().optional().describe('Only publications of this image').meta({ positional: true, complete: 'image' }) }),
  output: z.strictObject({ publications: z.array(publicationLineSchema.extend({ age: z.int() })) }),
  examples: [{ command: 'ingot publication list', does: 'every image on every target' }],
  async run({ name }, context) {
    const now = context.host.clock.now().getTime();
    const all = (await listPublications(context)).filter(({ image }) => name === undefined || image.name === name);
    return { publications: all.map((one) => ({ ...publicationLine(one), age: Math.max(0, Math.floor((now - Date.parse(one.updated)) / 1000)) })) };
  },
  render({ publications }, options) {
    if (publications.length === 0) return 'Nothing is published yet. `ingot publish IMAGE --to TARGET` does it.';
    const rows = publications.map(({ id, target, reference, state, places, age, failure }): Cell[] => [
      target,
      reference,
      failure === undefined ? { text: state, style: state === 'current' ? 'green' : 'dim' } : { text: `${state} (ended early)`, style: 'red' },
      places.join(', '),
      formatAge(age),
      { text: id, style: 'dim' },
    ]);
    // The id is what one promotes and removes by, so it is never cut; the digest stands at its end.
    return renderTable(
      [{ title: 'TARGET' }, { title: 'IMAGE', shrink: true }, { title: 'STATE' }, { title: 'NODES', shrink: 'wrap' }, { title: 'CHANGED' }, { title: 'ID' }],
      rows,
      options,
    );
  },
});
