import * as z from 'zod';
import type { VmSnapshot } from '../platforms/local/vm-record.ts';
import { snapshotRows, type SnapshotRow } from '../platforms/local/snapshot-tree.ts';
import type { VmRecord } from '../platforms/local/vms.ts';

/** A snapshot as operations show it. */
export const snapshotOutput = z.object({
  name: z.string(),
  created: z.iso.datetime(),
  description: z.string().optional(),
  parent: z.string().optional(),
  ram: z.boolean().describe('It has the memory of the machine'),
  bytes: z.number().describe("Of its memory's file"),
  current: z.boolean().describe('The disks of the VM stand on it'),
  depth: z.int(),
});
export type SnapshotOutput = z.output<typeof snapshotOutput>;

/** A snapshot for output. */
export function snapshotView(snapshot: VmSnapshot, { current, depth }: Pick<SnapshotRow, 'current' | 'depth'>): SnapshotOutput {
  const { name, created, description, parent, ram } = snapshot;
  return {
    name,
    created,
    ...(description === undefined ? {} : { description }),
    ...(parent === undefined ? {} : { parent }),
    ram: ram !== undefined,
    bytes: ram?.bytes ?? 0,
    current,
    depth,
  };
}

/** All snapshots of a VM, each after the one that it stands on. */
export function snapshotViews(vm: Pick<VmRecord, 'snapshots' | 'standsOn'>): SnapshotOutput[] {
  return snapshotRows(vm).map((row) => snapshotView(row.snapshot, row));
}

/** A moment as people read it, in the host's time zone. */
export function timeText(iso: string): string {
  const date = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
