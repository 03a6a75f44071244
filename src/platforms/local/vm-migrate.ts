import * as z from 'zod';

/** Version 1 had one disk, called disk.qcow2, and neither snapshots nor ports but SSH's. */
const versionOne = z.looseObject({ v: z.literal(1), disk: z.int().positive() });

/** Turns what an older ingot wrote of a VM into what this one reads; anything else stays as it is. Pure. */
export function migrateVm(value: unknown): unknown {
  const old = versionOne.safeParse(value);
  if (!old.success) return value;
  const { disk, ...rest } = old.data;
  return {
    ...rest,
    v: 2,
    disks: [{ name: 'root', size: disk, frozen: [], active: 'disk' }],
    forwards: [],
    snapshots: [],
    protected: false,
    autostart: false,
  };
}
