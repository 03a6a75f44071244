import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { parseName, type Digest } from '../../base/types.ts';
import { findVm, type VmRecord } from './vms.ts';

/** A folder in vms/, and what can be read of it. */
export interface VmFolder {
  readonly name: string;
  /** Absent where there is none, or `problem` says why it cannot be used. */
  readonly record?: VmRecord;
  /** `name-invalid`, `vm-damaged`, `vm-newer`. */
  readonly problem?: IngotError;
}

/** Every folder in vms/, sorted by name; for what has to show the others where one of them is damaged. */
export async function vmFolders(host: Pick<Host, 'files'>, home: Home): Promise<VmFolder[]> {
  return await Promise.all((await host.files.list(home.vms)).map((name) => readFolder(host, home, name)));
}

async function readFolder(host: Pick<Host, 'files'>, home: Home, name: string): Promise<VmFolder> {
  try {
    const record = await findVm(host, home, parseName(name, 'a VM'));
    return record === undefined ? { name } : { name, record };
  } catch (error) {
    if (error instanceof IngotError) return { name, problem: error };
    throw error;
  }
}

/** Which images VMs use, as far as it can be read: for showing it. What removes images asks `imageUsers`, which no damaged record passes. */
export async function shownImageUsers(host: Pick<Host, 'files'>, home: Home): Promise<Map<Digest, string[]>> {
  const used = (await vmFolders(host, home)).flatMap(({ name, record }) => (record === undefined ? [] : [{ name, digest: record.image.digest }]));
  return new Map([...Map.groupBy(used, ({ digest }) => digest)].map(([digest, vms]) => [digest, vms.map(({ name }) => name)]));
}
