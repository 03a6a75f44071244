import { parseName, type Name } from '../../base/types.ts';
import { refuseExisting } from './create.ts';
import { holdVm, lockVm, requireStopped } from './power.ts';
import { settleName } from './settle-name.ts';
import type { LabContext } from './view.ts';
import { loadVm, type VmRecord } from './vms.ts';

/**
 * Gives a VM that is off another name: its folder moves in one step, and what is in there follows (see settleName). Its hostname changes when it
 * boots. Throws `vm-unknown`, `vm-running`, `vm-suspended`, `vm-exists`.
 */
export async function renameVm(context: LabContext, from: Name, to: Name): Promise<VmRecord> {
  await using stack = new AsyncDisposableStack();
  const what = `vm rename ${from} ${to}`;
  await loadVm(context.host, context.home, from);
  await refuseExisting(context.host, context.home, to);
  // In one order for all commands, so that no two wait for each other.
  if (to < from) stack.use(await lockVm(context, to, what));
  const { vm } = stack.use(await holdVm(context, from, what));
  if (to > from) stack.use(await lockVm(context, to, what));
  await refuseExisting(context.host, context.home, to);
  await requireStopped(context, vm, 'its name can only change while it is off');
  return await renameLocked(context, vm, to);
}

async function renameLocked(context: LabContext, vm: VmRecord, to: Name): Promise<VmRecord> {
  const { host, home } = context;
  await host.files.rename(home.vm(parseName(vm.name, 'a VM')), home.vm(to));
  await host.files.sync(home.vms);
  return settleName(context, { ...vm, name: to, renamedFrom: vm.name });
}
