import { formatSize } from '../../base/types.ts';
import type { RemoteVm } from '../../platforms/remote-vms.ts';
import type { Member, MemberFile, MemberScript } from '../model.ts';
import type { PlanOptions, Resize } from '../plan.ts';
import type { RemoteLabMember } from '../state.ts';

/** What is to be done with one member on a target, in this order. */
export interface RemoteMemberPlan {
  readonly member: Member;
  /** The VM that is there. */
  readonly found: RemoteVm | undefined;
  /** Why there has to be another VM in its place; empty where it can stay. */
  readonly renew: readonly string[];
  /** The VM that is there goes first. */
  readonly remove: boolean;
  readonly create: boolean;
  readonly resize: Resize | undefined;
  readonly restart: boolean;
  readonly start: boolean;
  readonly files: readonly MemberFile[];
  readonly scripts: readonly MemberScript[];
}

export interface RemoteLabPlan {
  /** VMs of the lab that the file does not have any more. */
  readonly gone: readonly { readonly name: string; readonly vm: RemoteVm }[];
  /** In the order in which they start. */
  readonly members: readonly RemoteMemberPlan[];
}

/** What makes of the VMs on a target those that a lab file wants, with as little as possible. Pure. */
export function planRemoteLab(members: readonly Member[], vms: readonly RemoteVm[], records: readonly RemoteLabMember[], options: PlanOptions): RemoteLabPlan {
  const find = (vm: string): RemoteVm | undefined => vms.find(({ name }) => name === vm);
  const wanted = new Set(members.map(({ name }) => name));
  return {
    gone: records.flatMap(({ name, vm }) => {
      const found = wanted.has(name) ? undefined : find(vm);
      return found === undefined ? [] : [{ name, vm: found }];
    }),
    members: members.map((member) =>
      planMember(
        member,
        find(member.vm),
        records.find(({ name }) => name === member.name),
        options,
      ),
    ),
  };
}

/** Whether anything is to be done with a member. */
export function changesRemote({ create, resize, start, files, scripts }: RemoteMemberPlan): boolean {
  return create || resize !== undefined || start || files.length > 0 || scripts.length > 0;
}

function planMember(member: Member, found: RemoteVm | undefined, record: RemoteLabMember | undefined, options: PlanOptions): RemoteMemberPlan {
  const renew = found === undefined || record === undefined ? [] : reasonsToRenew(member, found, record);
  const remove = found !== undefined && renew.length > 0 && options.replace;
  const create = found === undefined || remove;
  const resize = create ? undefined : resizeOf(member, found);
  const running = !create && found.state === 'running';
  // A disk grows while it runs.
  const restart = running && (resize?.cpus !== undefined || resize?.memory !== undefined);
  const start = (!running && options.start) || restart;
  const up = running || start;
  return {
    member,
    found,
    renew,
    remove,
    create,
    resize,
    restart,
    start,
    files: up ? member.files.filter(({ to, hash }) => create || record?.files[to] !== hash) : [],
    scripts: up ? member.scripts.filter(({ always, hash }) => always || create || record?.scripts.includes(hash) !== true) : [],
  };
}

function reasonsToRenew(member: Member, vm: RemoteVm, { source }: RemoteLabMember): string[] {
  const reasons: string[] = [];
  const differ = (what: string, from: string | undefined, to: string | undefined): void => {
    if (from !== to) reasons.push(`${what} ${from ?? 'none'} -> ${to ?? 'none'}`);
  };
  differ('image', source.image, member.source.image);
  differ('release', source.release, member.source.release);
  differ('roles', source.roles.join(', ') || undefined, member.source.roles.join(', ') || undefined);
  const { disk } = member;
  if (disk !== undefined && vm.disk !== undefined && disk < vm.disk)
    reasons.push(`disk ${formatSize(vm.disk)} -> ${formatSize(disk)}, and disks do not shrink`);
  return reasons;
}

function resizeOf(member: Member, { asked, disk, ...size }: RemoteVm): Resize | undefined {
  const { cpus, memory } = asked ?? size;
  const resize: Resize = {
    ...(cpus === undefined || member.cpus === cpus ? {} : { cpus: { from: cpus, to: member.cpus } }),
    ...(memory === undefined || member.memory === memory ? {} : { memory: { from: memory, to: member.memory } }),
    ...(disk === undefined || member.disk === undefined || member.disk <= disk ? {} : { disk: { from: disk, to: member.disk } }),
  };
  return Object.keys(resize).length === 0 ? undefined : resize;
}
