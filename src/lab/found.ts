import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { refuseProtected } from '../platforms/local/remove.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { loadVms, rootDisk, vmPid, type LabMembership, type VmRecord } from '../platforms/local/vms.ts';
import type { Lab } from './model.ts';
import type { FoundMember } from './plan.ts';

type LookContext = Pick<LabContext, 'host' | 'home'>;

/** A VM that a lab made. */
export type MemberRecord = VmRecord & { readonly lab: LabMembership };

/** The VMs that belong to a lab, sorted by name. */
export async function memberRecords({ host, home }: LookContext, lab: string): Promise<MemberRecord[]> {
  return (await loadVms(host, home)).flatMap((vm) => (vm.lab?.name === lab ? [{ ...vm, lab: vm.lab }] : []));
}

/** The VMs that belong to a lab, with whether they run. */
export async function findMembers(context: LookContext, lab: string): Promise<FoundMember[]> {
  return await Promise.all(
    (await memberRecords(context, lab)).map(async (vm): Promise<FoundMember> => {
      const name = parseName(vm.name, 'a VM');
      const pid = await vmPid(context.host, context.home, name);
      const { cpus, memory, lab: membership } = vm;
      return {
        name: membership.member,
        vm: name,
        running: pid !== undefined,
        cpus,
        memory,
        disk: rootDisk(vm).size,
        lab: membership,
        protected: vm.protected,
        forwards: vm.forwards,
        ready: pid !== undefined && membership.ready === pid,
      };
    }),
  );
}

/** Refuses to delete members of which some are protected, before the first is gone. Throws `vm-protected` with all of them. */
export function refuseLoss(members: readonly FoundMember[]): void {
  refuseProtected(members.map(({ vm, protected: kept }) => ({ name: vm, protected: kept })));
}

/** Refuses a lab whose VMs would have names that other VMs have. Throws `lab-names-taken` with all of them. */
export async function refuseStrangers({ host, home }: LookContext, lab: Lab): Promise<void> {
  const others = new Map((await loadVms(host, home)).filter((vm) => vm.lab?.name !== lab.name).map((vm) => [vm.name, vm]));
  const taken = lab.members.filter(({ vm }) => others.has(vm));
  if (taken.length === 0) return;
  throw new IngotError('conflict', 'lab-names-taken', `Names that the lab ${lab.name} needs belong to other VMs`, {
    hint: 'Give the lab another name, or rename or delete those VMs.',
    problems: taken.map(({ vm, name }) => {
      const owner = others.get(vm)?.lab;
      return { path: `vms.${name}`, message: `${vm} is ${owner === undefined ? 'a VM of its own' : `a VM of the lab ${owner.name}`}` };
    }),
  });
}
