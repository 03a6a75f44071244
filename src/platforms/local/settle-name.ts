import { join } from 'node:path';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { parseName } from '../../base/types.ts';
import { readSeed, seedDisk } from './seed.ts';
import { withIdentity } from './seed-identity.ts';
import type { LabContext } from './view.ts';
import { saveVm, seedPath, type VmRecord } from './vms.ts';

/** Lets a VM's seed, known host key and record follow its folder's name, where ingot was killed before they had. The caller holds the VM's lock. */
export async function settleName(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.renamedFrom === undefined) return vm;
  const { host, home } = context;
  const { renamedFrom, ...renamed } = vm;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  const seed = seedPath(folder);
  await replaceFile(host.files, seed, seedDisk(withIdentity(await readSeed(host, seed), { hostname: vm.name })), 0o600);
  const known = join(folder, 'known_hosts');
  const keys = await readTextIfThere(host.files, known);
  if (keys !== undefined) {
    const lines = keys.split('\n').map((line) => (line.startsWith(`${renamedFrom} `) ? `${vm.name}${line.slice(renamedFrom.length)}` : line));
    await replaceFile(host.files, known, lines.join('\n'), 0o600);
  }
  await saveVm(host, home, renamed);
  return renamed;
}
