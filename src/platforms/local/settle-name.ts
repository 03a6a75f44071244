import { join } from 'node:path';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { parseName } from '../../base/types.ts';
import { reseed } from './reseed.ts';
import type { LabContext } from './view.ts';
import { saveVm, type VmRecord } from './vms.ts';

/** Lets a VM's seed, known host key and record follow its folder's name, where ingot was killed before they had. The caller holds the VM's lock. */
export async function settleName(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.renamedFrom === undefined) return vm;
  const { host, home } = context;
  const { renamedFrom, ...renamed } = vm;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  await reseed(context, folder, folder, { hostname: vm.name });
  const known = join(folder, 'known_hosts');
  const keys = await readTextIfThere(host.files, known);
  if (keys !== undefined) {
    const lines = keys.split('\n').map((line) => (line.startsWith(`${renamedFrom} `) ? `${vm.name}${line.slice(renamedFrom.length)}` : line));
    await replaceFile(host.files, known, lines.join('\n'), 0o600);
  }
  await saveVm(host, home, renamed);
  return renamed;
}
