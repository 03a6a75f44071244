import * as z from 'zod';
import { labName } from '../lab/find.ts';
import { labNames } from '../lab/state.ts';
import { labViewSchema, viewLab, type LabView } from '../lab/status.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { renderTable, styled, type Cell } from './table.ts';

export default defineOperation({
  name: 'lab status',
  summary: 'Show the virtual machines of a lab, or of all labs',
  kind: 'query',
  input: z.object({ lab: labPosition.optional() }),
  output: z.array(labViewSchema),
  examples: [
    { command: 'ingot lab status', does: 'shows all labs' },
    { command: 'ingot lab status shop', does: 'shows one' },
  ],
  async run(input, context) {
    const names = input.lab === undefined ? await labNames(context.host, context.home) : [await labName(context, input.lab)];
    return await Promise.all(
      names.map((name) =>
        whereLab(
          context,
          name,
          () => viewLab(context, name),
          ({ use, state, vms }) => use.viewRemoteLab(state, vms),
        ),
      ),
    );
  },
  render(labs, options) {
    if (labs.length === 0) return 'There is no lab yet. `ingot lab up lab.yaml` makes one.';
    return labs.map((lab) => labText(lab, options)).join('\n\n');
  },
});

function labText({ name, file, network, members }: LabView, options: RenderOptions): string {
  const rows = members.map(({ member, vm, state, address, ready, image, ssh }): Cell[] => [
    member,
    { text: state, style: state === 'running' ? 'green' : state === 'missing' ? 'red' : 'dim' },
    address,
    state === 'running' ? (ready ? 'yes' : 'not yet') : '',
    image ?? '',
    vm,
    ssh === undefined ? '' : `${ssh.user}@127.0.0.1:${ssh.port}`,
  ]);
  const columns = ['MEMBER', 'STATE', 'ADDRESS', 'READY', 'IMAGE', 'VM', 'SSH'].map((title) => ({ title, shrink: title === 'IMAGE' || title === 'SSH' }));
  return `${styled(name, 'bold', options)}  ${network}  ${file}\n${renderTable(columns, rows, options)}`;
}
