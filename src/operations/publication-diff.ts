import * as z from 'zod';
import { EXIT_CODES, IngotError } from '../base/errors.ts';
import { inPool } from '../base/pool.ts';
import { driftSchema } from '../platforms/platform.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findPublication, Journal, listPublications } from '../publish/journal.ts';
import { driftOf } from '../publish/promote.ts';
import { findTarget } from '../publish/targets.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { publicationInput } from './publication-output.ts';
import { errorOutput, errorSchema, hintLines } from './publish-output.ts';
import { renderTable } from './table.ts';

/** Publications that are looked at at the same time. */
const AT_ONCE = 4;

export default defineOperation({
  name: 'publication diff',
  summary: 'Compare what a target has with what was published there',
  description:
    'Looks at each template as it is now: whether it is there, its name, text, tags, who may use it, and what instances inherit. Without a publication, all that are proven. Changes nothing. Exits with 7 where something differs. Of several targets, one that cannot be looked at keeps nobody from the others; where nothing differs there, the exit code is that of its failure.',
  kind: 'job',
  input: z.strictObject({ publication: publicationInput.optional() }),
  output: z.strictObject({
    compared: z.int(),
    differences: z.array(z.strictObject({ publication: z.string(), place: z.string(), ...driftSchema.shape })),
    unseen: z.array(z.strictObject({ target: z.string(), error: errorSchema })).describe('Targets that could not be looked at'),
  }),
  examples: [
    { command: 'ingot publication diff', does: 'everything on every target' },
    { command: 'ingot publication diff cloudstack:prod/almalinux-9', does: 'the current version of one template, zone by zone' },
  ],
  async run(input, context) {
    const chosen =
      input.publication === undefined
        ? (await listPublications(context)).filter(({ state }) => state === 'current' || state === 'validated')
        : [await findPublication(context, input.publication)];
    const byTarget = [...Map.groupBy(chosen, ({ target }) => target)];
    const differences: { publication: string; place: string; what: string; published: string; found: string }[] = [];
    const unseen: { target: string; error: z.output<typeof errorSchema> }[] = [];
    let compared = 0;
    for (const [name, publications] of byTarget) {
      try {
        await using platform = await openPlatform(context, await findTarget(context, name));
        const found: typeof differences = [];
        await context.events.stage(`looking at ${name}`, () =>
          inPool(AT_ONCE, publications, async (one) => {
            const drift = await driftOf(platform, new Journal(context, one));
            found.push(...drift.map((each) => ({ publication: one.id, ...each })));
          }),
        );
        differences.push(...found);
        compared += publications.length;
      } catch (error) {
        if (byTarget.length === 1 || !(error instanceof IngotError) || error.class === 'interrupted' || error.class === 'internal') throw error;
        unseen.push({ target: name, error: errorOutput(error) });
      }
    }
    return { compared, differences: differences.toSorted((a, b) => (a.publication < b.publication ? -1 : 1)), unseen };
  },
  render({ compared, differences, unseen }, options) {
    const failures = unseen.map(({ target, error }) => [`${target} was not looked at: ${error.message} (${error.code})`, ...hintLines(error)].join('\n'));
    if (differences.length === 0) return [`${countOf(compared, 'publication')} compared: all is as it was published`, ...failures].join('\n');
    const rows = differences.map(({ publication, place, what, published, found }) => [publication, place, what, published, found]);
    const table = renderTable(
      [{ title: 'PUBLICATION' }, { title: 'PLACE' }, { title: 'WHAT' }, { title: 'PUBLISHED', shrink: 'wrap' }, { title: 'FOUND', shrink: 'wrap' }],
      rows,
      options,
    );
    return failures.length === 0 ? table : [table, '', ...failures].join('\n');
  },
  exitCode({ differences, unseen: [first] }) {
    return differences.length > 0 ? EXIT_CODES.verification : first === undefined ? 0 : EXIT_CODES[first.error.class];
  },
});
