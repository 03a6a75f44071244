import * as z from 'zod';
import { targetFindingSchema } from '../platforms/platform.ts';
import { openPlatform } from '../publish/adapters.ts';
import { targetReference } from '../platforms/platform.ts';
import { findTarget } from '../publish/targets.ts';
import { defineOperation } from './operation.ts';
import { renderTable, type Cell } from './table.ts';
import { targetInput } from './target-input.ts';

const MARKS: Readonly<Record<'passed' | 'failed' | 'warning', Cell>> = {
  passed: { text: '✔', style: 'green' },
  failed: { text: '✘', style: 'red' },
  warning: { text: '!', style: 'yellow' },
};

export default defineOperation({
  name: 'target check',
  summary: 'Look at a target: version, nodes or zones, storages, and what the key may do',
  description:
    'Changes nothing. Each lack comes with what mends it: for Proxmox VE a line for the shell of a node, for CloudStack where to look in the web interface. Exits with 5 where something is missing without which nothing can be published.',
  kind: 'job',
  input: z.strictObject({ target: targetInput }),
  output: z.strictObject({ target: z.string(), findings: z.array(targetFindingSchema) }),
  examples: [{ command: 'ingot target check proxmox:home', does: 'what it has, and what it lacks' }],
  async run(input, context) {
    const target = await findTarget(context, input.target);
    await using platform = await openPlatform(context, target);
    const reference = targetReference(target);
    return { target: reference, findings: await context.events.stage(`looking at ${reference}`, () => platform.check()) };
  },
  render({ target, findings }, options) {
    const rows = findings.map(({ name, result, detail }): Cell[] => [MARKS[result], name, detail]);
    const remedies = findings.flatMap(({ name, remedy }) => (remedy === undefined ? [] : [`# ${name}\n${remedy}`]));
    const table = renderTable([{ title: '' }, { title: 'WHAT' }, { title: 'FOUND', shrink: 'wrap' }], rows, options);
    return remedies.length === 0
      ? table
      : `${table}\n\nWhat mends it (${target.startsWith('proxmox:') ? 'commands are for the shell of a node' : 'in the web interface, where nothing else is said'}):\n\n${remedies.join('\n')}`;
  },
  exitCode: ({ findings }) => (findings.some(({ result }) => result === 'failed') ? 5 : 0),
});
