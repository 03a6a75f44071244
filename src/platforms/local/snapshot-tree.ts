import { IngotError, nearest } from '../../base/errors.ts';
import type { VmRecord, VmSnapshot } from './vm-record.ts';

/** A snapshot as it is shown. */
export interface SnapshotRow {
  readonly snapshot: VmSnapshot;
  /** How many stand below it. */
  readonly depth: number;
  /** The last one of its parent's. */
  readonly last: boolean;
  /** The VM's disks stand on it. */
  readonly current: boolean;
}

/** The snapshots of a VM, each after its parent, older ones first. One whose parent is not there stands at the bottom. Pure. */
export function snapshotRows(vm: Pick<VmRecord, 'snapshots' | 'standsOn'>): SnapshotRow[] {
  const names = new Set(vm.snapshots.map(({ name }) => name));
  const rows: SnapshotRow[] = [];
  const walk = (parent: string | undefined, depth: number): void => {
    const children = vm.snapshots
      .filter((one) => (one.parent !== undefined && names.has(one.parent) ? one.parent : undefined) === parent)
      .toSorted((a, b) => a.created.localeCompare(b.created));
    for (const [index, snapshot] of children.entries()) {
      rows.push({ snapshot, depth, last: index === children.length - 1, current: vm.standsOn === snapshot.name });
      walk(snapshot.name, depth + 1);
    }
  };
  walk(undefined, 0);
  return rows;
}

/** A VM's snapshot by its name. Throws `snapshot-unknown` with the nearest names. */
export function findSnapshot(vm: Pick<VmRecord, 'name' | 'snapshots'>, name: string): VmSnapshot {
  const found = vm.snapshots.find((snapshot) => snapshot.name === name);
  if (found !== undefined) return found;
  const names = vm.snapshots.map((snapshot) => snapshot.name);
  const guesses = nearest(name, names);
  const hint =
    names.length === 0
      ? `It has none; \`ingot vm snapshot create ${vm.name}\` makes one.`
      : guesses.length > 0
        ? `Did you mean ${guesses.join(' or ')}?`
        : `\`ingot vm snapshot list ${vm.name}\` shows them all.`;
  throw new IngotError('not-found', 'snapshot-unknown', `${vm.name} has no snapshot ${name}`, { hint });
}

/** The first free name of the kind `snapshot-2`. Pure. */
export function freeSnapshotName(machines: readonly { readonly snapshots: readonly { readonly name: string }[] }[]): string {
  const taken = new Set(machines.flatMap(({ snapshots }) => snapshots.map(({ name }) => name)));
  let number = 1;
  while (taken.has(`snapshot-${number}`)) number += 1;
  return `snapshot-${number}`;
}

/** A record without one of its snapshots: those that stood on it stand on its parent. Pure. */
export function withoutSnapshot<T extends Pick<VmRecord, 'snapshots' | 'standsOn'>>(vm: T, name: string): T {
  const gone = vm.snapshots.find((snapshot) => snapshot.name === name);
  const { standsOn, ...rest } = vm;
  const below = gone?.parent;
  const onto = standsOn === name ? below : standsOn;
  const snapshots = vm.snapshots.flatMap((snapshot) => {
    if (snapshot.name === name) return [];
    if (snapshot.parent !== name) return [snapshot];
    const { parent: _, ...others } = snapshot;
    return [below === undefined ? others : { ...others, parent: below }];
  });
  return Object.assign({}, vm, { ...rest, snapshots, standsOn: onto });
}
