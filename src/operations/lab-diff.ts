import * as z from 'zod';
import { labFile } from '../lab/find.ts';
import { prepareLab } from '../lab/prepare.ts';
import { readLab } from '../lab/read.ts';
import { labFilePosition } from './lab-input.ts';
import { diffLines, diffText, remoteDiffLines } from './lab-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'lab diff',
  summary: 'Show what `lab up` would do',
  description: 'Compares the lab file with the VMs that are there, and changes nothing.',
  kind: 'query',
  input: z.object({
    file: labFilePosition,
    replace: z.boolean().default(false).describe('As with `lab up --replace`'),
  }),
  output: z.object({
    name: z.string(),
    changes: z.array(z.object({ mark: z.enum(['+', '~', '-', '!']), member: z.string(), changes: z.array(z.string()).readonly() })).readonly(),
  }),
  examples: [{ command: 'ingot lab diff', does: 'shows what bringing up lab.yaml would change' }],
  async run(input, context) {
    const lab = await readLab(context, await labFile(context, input.file));
    if (lab.platform !== 'local') {
      const { planOnTarget } = await import('./lab-on.ts');
      return { name: lab.name, changes: remoteDiffLines(await planOnTarget(context, lab, input.replace)) };
    }
    const { plan } = await prepareLab(context, lab, { start: true, replace: input.replace });
    return { name: lab.name, changes: diffLines(plan) };
  },
  render: ({ name, changes }, options) => (changes.length === 0 ? `The lab ${name} is as its file says.` : diffText(changes, options)),
});
