import { formatSize, type Name } from '../base/types.ts';
import { formatForward, wishOf, type WantedForward } from '../platforms/local/forwards.ts';
import type { Forward } from '../platforms/local/vm-record.ts';
import type { LabMembership } from '../platforms/local/vms.ts';
import type { Member, MemberFile, MemberScript } from './model.ts';

/** A VM of the lab that is there. */
export interface FoundMember {
  readonly name: string;
  readonly vm: Name;
  readonly running: boolean;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes of the disk that it boots from. */
  readonly disk: number;
  readonly lab: LabMembership;
  readonly protected: boolean;
  readonly forwards: readonly Forward[];
  /** It runs, and was ready since it was started. */
  readonly ready: boolean;
}

/** What becomes of a VM's size. */
export interface Resize {
  readonly cpus?: { readonly from: number; readonly to: number };
  readonly memory?: { readonly from: number; readonly to: number };
  readonly disk?: { readonly from: number; readonly to: number };
}

/** What is to be done with one member, in this order. */
export interface MemberPlan {
  readonly member: Member;
  /** What it is called among all VMs once this is done: one that stays may have been renamed. */
  readonly vm: Name;
  /** Why there has to be another VM in its place; empty where it can stay. */
  readonly renew: readonly string[];
  /** The VM that is there and is deleted first. */
  readonly remove: FoundMember | undefined;
  readonly create: boolean;
  readonly resize: Resize | undefined;
  /** It is shut down first, since its size changes. */
  readonly restart: boolean;
  readonly start: boolean;
  readonly forwards: { readonly add: readonly WantedForward[]; readonly remove: readonly Forward[] };
  /** Its names are written. */
  readonly hosts: boolean;
  readonly files: readonly MemberFile[];
  readonly scripts: readonly MemberScript[];
  /** It is waited for. */
  readonly wait: boolean;
}

export interface LabPlan {
  /** VMs of the lab that the file does not have any more. */
  readonly gone: readonly FoundMember[];
  /** Every member, in the order in which they start. */
  readonly members: readonly MemberPlan[];
}

/** What members are to have of their network. */
export interface WantedNetwork {
  readonly addresses: ReadonlyMap<string, string>;
  readonly prefix: number;
  readonly hosts: string;
}

export interface PlanOptions {
  /** VMs that stand are started. */
  readonly start: boolean;
  /** VMs that have to be made anew are. */
  readonly replace: boolean;
}

/** What makes of the VMs that are there those that a lab file wants, with as little as possible. Pure. */
export function planLab(members: readonly Member[], found: readonly FoundMember[], network: WantedNetwork, options: PlanOptions): LabPlan {
  const wanted = new Set(members.map(({ name }) => name));
  return {
    gone: found.filter(({ name }) => !wanted.has(name)),
    members: members.map((member) =>
      planMember(
        member,
        found.find(({ name }) => name === member.name),
        network,
        options,
      ),
    ),
  };
}

function planMember(member: Member, found: FoundMember | undefined, network: WantedNetwork, options: PlanOptions): MemberPlan {
  const renew = found === undefined ? [] : reasonsToRenew(member, found, network);
  const fresh = found === undefined || (renew.length > 0 && options.replace);
  const resize = fresh ? undefined : resizeOf(member, found);
  const restart = !fresh && found.running && resize !== undefined;
  const running = !fresh && found.running && !restart;
  const start = !running && (options.start || restart);
  const up = running || start;
  const forwards = fresh ? { add: [], remove: [] } : forwardChanges(member, found);
  const hosts = up && (fresh ? member.userData !== undefined : found.lab.hosts !== network.hosts);
  const files = up ? member.files.filter(({ to, hash }) => fresh || !Object.hasOwn(found.lab.files, to) || found.lab.files[to] !== hash) : [];
  const scripts = up ? member.scripts.filter(({ always, hash }) => always || fresh || !found.lab.scripts.includes(hash)) : [];
  return {
    member,
    vm: fresh ? member.vm : found.vm,
    renew,
    remove: fresh ? found : undefined,
    create: fresh,
    resize,
    restart,
    start,
    forwards,
    hosts,
    files,
    scripts,
    wait: up && (start || (options.start && found?.ready !== true) || files.length > 0 || scripts.length > 0),
  };
}

/** Whether anything is to be done with a member; `wait` alone is a look, not a change. */
export function changes(plan: MemberPlan): boolean {
  const { create, resize, start, forwards, hosts, files, scripts } = plan;
  return create || resize !== undefined || start || hosts || [forwards.add, forwards.remove, files, scripts].some(({ length }) => length > 0);
}

/** What only another VM can have: the image and what a VM is told at its first start alone. */
function reasonsToRenew(member: Member, { lab, disk }: FoundMember, { addresses, prefix }: WantedNetwork): string[] {
  const reasons: string[] = [];
  const differ = (what: string, from: string | undefined, to: string | undefined): void => {
    if (from !== to) reasons.push(`${what} ${from ?? 'none'} -> ${to ?? 'none'}`);
  };
  differ('image', lab.source.image, member.source.image);
  differ('release', lab.source.release, member.source.release);
  differ('roles', lab.source.roles.join(', ') || undefined, member.source.roles.join(', ') || undefined);
  differ('firmware', lab.source.firmware ?? 'default', member.source.firmware ?? 'default');
  if (lab.source.userData !== member.source.userData) reasons.push('other user-data');
  differ('shares', lab.source.shares?.join(', '), member.source.shares?.join(', '));
  differ('address', `${lab.network.address}/${lab.network.prefix}`, `${addresses.get(member.name) ?? 'none'}/${prefix}`);
  if (member.disk !== undefined && member.disk < disk) reasons.push(`disk ${formatSize(disk)} -> ${formatSize(member.disk)}, and disks do not shrink`);
  return reasons;
}

/** Forwards that the file has and the VM has not, and those that an older file asked for. What the user added by hand stays. */
function forwardChanges(member: Member, { lab, forwards }: FoundMember): MemberPlan['forwards'] {
  const wanted = new Set(member.forwards.map(formatForward));
  const has = new Map(forwards.map((forward) => [formatForward(wishOf(forward)), forward]));
  return {
    add: member.forwards.filter((forward) => !has.has(formatForward(forward))),
    remove: (lab.forwards ?? []).flatMap((text) => (wanted.has(text) ? [] : (has.get(text) ?? []))),
  };
}

function resizeOf(member: Member, { cpus, memory, disk }: FoundMember): Resize | undefined {
  const resize: Resize = {
    ...(member.cpus === cpus ? {} : { cpus: { from: cpus, to: member.cpus } }),
    ...(member.memory === memory ? {} : { memory: { from: memory, to: member.memory } }),
    ...(member.disk === undefined || member.disk <= disk ? {} : { disk: { from: disk, to: member.disk } }),
  };
  return Object.keys(resize).length === 0 ? undefined : resize;
}
