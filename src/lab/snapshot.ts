import { IngotError, nearest } from '../base/errors.ts';
import type { Name } from '../base/types.ts';
import { createSnapshots, deleteSnapshot, type NewSnapshot } from '../platforms/local/snapshots.ts';
import { restoreSnapshot } from '../platforms/local/snapshot-restore.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { parseName } from '../base/types.ts';
import { remember } from './bring-up.ts';
import { findMembers, memberRecords, type MemberRecord } from './found.ts';
import { loadLab, lockLab } from './state.ts';

/** A snapshot that members of a lab have. */
export interface LabSnapshot {
  readonly name: string;
  /** Of the member that had it first. */
  readonly created: string;
  readonly members: readonly string[];
  /** Members of the lab that do not have it: they were made later. */
  readonly without: readonly string[];
  /** Each has its memory too. */
  readonly ram: boolean;
}

/** Makes a snapshot of all members, at one moment. Throws `lab-unknown`, `lab-empty`, and what making snapshots throws. */
export async function snapshotLab(context: LabContext, lab: Name, request: NewSnapshot): Promise<LabSnapshot> {
  await using _lock = await lockLab(context, lab, `lab snapshot create ${lab}`);
  const members = await membersOf(context, lab);
  const made = await createSnapshots(
    context,
    members.map(({ vm }) => vm),
    request,
  );
  const name = made[0]?.snapshot.name ?? '';
  return findSnapshot(snapshotsOf((await memberRecords(context, lab)).map(ofRecord)), lab, name);
}

/** The snapshots of a lab, oldest first. Throws `lab-unknown`. */
export async function labSnapshots(context: LabContext, lab: Name): Promise<LabSnapshot[]> {
  await loadLab(context.host, context.home, lab);
  return snapshotsOf((await memberRecords(context, lab)).map(ofRecord));
}

export interface RestoreLabRequest {
  readonly snapshot: string;
  /** Also where members run, which are ended. */
  readonly force: boolean;
  /** Start them afterwards; undefined for where the snapshot has a memory. */
  readonly start: boolean | undefined;
}

/**
 * Puts all members back that have the snapshot; the others stay as they are, and are told. What files and scripts they got since is applied again by the
 * next `lab up`. Killed in between, the same command goes on. Throws `lab-unknown`, `snapshot-unknown`, `lab-running`, and what restoring throws.
 */
export async function restoreLab(context: LabContext, lab: Name, request: RestoreLabRequest): Promise<LabSnapshot> {
  await using _lock = await lockLab(context, lab, `lab snapshot restore ${lab}`);
  const members = await membersOf(context, lab);
  const snapshot = findSnapshot(snapshotsOf((await memberRecords(context, lab)).map(ofRecord)), lab, request.snapshot);
  const running = members.filter((member) => member.running && snapshot.members.includes(member.name));
  if (running.length > 0 && !request.force) {
    throw new IngotError(
      'conflict',
      'lab-running',
      `VMs of the lab ${lab} run, and what they have written since would be lost: ${running.map(({ name }) => name).join(', ')}`,
      {
        hint: `Keep that with \`ingot lab snapshot create ${lab}\` first, or use --force.`,
      },
    );
  }
  if (snapshot.without.length > 0) context.events.message('info', `Made after ${snapshot.name}, and left as they are: ${snapshot.without.join(', ')}`);
  for (const { name, vm } of members) {
    if (!snapshot.members.includes(name)) continue;
    // Written down before: what was applied since is looked at again, whenever this ends.
    await remember(context, vm, ({ ready: _ready, ...rest }) => ({ ...rest, hosts: '', files: {}, scripts: [] }));
    await restoreSnapshot(context, vm, request);
  }
  return snapshot;
}

/** Deletes a snapshot of all members; returns the bytes of the host's disk that came back. Throws `lab-unknown`, `snapshot-unknown`. */
export async function deleteLabSnapshot(context: LabContext, lab: Name, name: string): Promise<number> {
  await using _lock = await lockLab(context, lab, `lab snapshot delete ${lab}`);
  await loadLab(context.host, context.home, lab);
  const records = await memberRecords(context, lab);
  const { members } = findSnapshot(snapshotsOf(records.map(ofRecord)), lab, name);
  let freed = 0;
  for (const vm of records) if (members.includes(vm.lab.member)) freed += await deleteSnapshot(context, parseName(vm.name, 'a VM'), name);
  return freed;
}

async function membersOf(context: LabContext, lab: Name) {
  await loadLab(context.host, context.home, lab);
  const members = await findMembers(context, lab);
  if (members.length > 0) return members;
  throw new IngotError('conflict', 'lab-empty', `The lab ${lab} has no VMs`, { hint: 'Make them with `ingot lab up`.' });
}

interface MemberSnapshots {
  readonly member: string;
  readonly snapshots: readonly { readonly name: string; readonly created: string; readonly ram?: unknown }[];
}

const ofRecord = ({ lab, snapshots }: MemberRecord): MemberSnapshots => ({ member: lab.member, snapshots });

/** The snapshots that members have, oldest first. Pure. */
export function snapshotsOf(members: readonly MemberSnapshots[]): LabSnapshot[] {
  const names = [...new Set(members.flatMap(({ snapshots }) => snapshots.map(({ name }) => name)))];
  return names
    .map((name): LabSnapshot => {
      const having = members.flatMap(({ member, snapshots }) => {
        const snapshot = snapshots.find((one) => one.name === name);
        return snapshot === undefined ? [] : [{ member, snapshot }];
      });
      return {
        name,
        created: having.map(({ snapshot }) => snapshot.created).toSorted()[0] ?? '',
        members: having.map(({ member }) => member),
        without: members.map(({ member }) => member).filter((member) => !having.some((one) => one.member === member)),
        ram: having.every(({ snapshot }) => snapshot.ram !== undefined),
      };
    })
    .toSorted((a, b) => a.created.localeCompare(b.created));
}

/** The one of a name. Throws `snapshot-unknown` with the nearest names. */
export function findSnapshot(all: readonly LabSnapshot[], lab: string, name: string): LabSnapshot {
  const found = all.find((snapshot) => snapshot.name === name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    all.map((snapshot) => snapshot.name),
  );
  throw new IngotError('not-found', 'snapshot-unknown', `No VM of the lab ${lab} has a snapshot ${name}`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `\`ingot lab snapshot list ${lab}\` shows them.`,
  });
}
