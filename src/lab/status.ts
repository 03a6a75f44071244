import * as z from 'zod';
import { viewVm, type LabContext } from '../platforms/local/view.ts';
import type { Name } from '../base/types.ts';
import { memberRecords } from './found.ts';
import { loadLab } from './state.ts';

/** A member of a lab as it is shown. */
export const memberViewSchema = z.object({
  member: z.string(),
  vm: z.string(),
  state: z.string().describe("The VM's state, or `missing` where it has not been made"),
  address: z.string().describe("On the lab's network"),
  ready: z.boolean().describe('It runs, and was ready since its start'),
  image: z.string().optional(),
  ssh: z.object({ user: z.string(), port: z.int() }).optional(),
});

export const labViewSchema = z.object({ name: z.string(), file: z.string(), network: z.string(), members: z.array(memberViewSchema) });
export type LabView = z.output<typeof labViewSchema>;

/** What there is of a lab, its members in the order in which they start. Throws `lab-unknown`. */
export async function viewLab(context: Pick<LabContext, 'host' | 'home'>, name: Name): Promise<LabView> {
  const state = await loadLab(context.host, context.home, name);
  const records = new Map((await memberRecords(context, name)).map((vm) => [vm.lab.member, vm]));
  const planned = new Set(state.members.map((member) => member.name));
  const leftOver = [...records.values()]
    .filter((vm) => !planned.has(vm.lab.member))
    .map((vm) => ({ name: vm.lab.member, vm: vm.name, address: vm.lab.network.address }));
  const members = await Promise.all(
    [...state.members, ...leftOver].map(async ({ name: member, vm, address }) => {
      const record = records.get(member);
      if (record === undefined) return { member, vm, state: 'missing', address, ready: false };
      const view = await viewVm(context, record);
      const ready = view.pid !== undefined && view.pid === record.lab.ready;
      return { member, vm, state: view.state, address: record.lab.network.address, ready, image: view.image.reference, ssh: view.ssh };
    }),
  );
  return { name, file: state.file, network: state.network.subnet, members };
}
