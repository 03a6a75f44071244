import { parseName } from '../../base/types.ts';
import type { LabContext } from './view.ts';
import { loadVm, loadVms, type VmRecord } from './vms.ts';

/** The VMs of these names, each once, or all where there are none; throws `name-invalid`, `vm-unknown`. */
export async function chosenVms({ host, home }: Pick<LabContext, 'host' | 'home'>, names: readonly string[]): Promise<VmRecord[]> {
  if (names.length === 0) return loadVms(host, home);
  return Promise.all([...new Set(names)].map((name) => loadVm(host, home, parseName(name, 'a VM'))));
}
