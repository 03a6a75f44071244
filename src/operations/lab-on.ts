import type { Lab } from '../lab/model.ts';
import { prepareRemoteLab, labUpOn } from '../lab/remote/up.ts';
import type { RemoteLabState } from '../lab/state.ts';
import type { UpResult } from '../lab/up.ts';
import { ensureSshKey } from '../platforms/local/ssh.ts';
import type { RemoteVms } from '../platforms/remote-vms.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findTarget } from '../publish/targets.ts';
import type { Context } from './operation.ts';
import { DEFAULT_MACHINE } from '../lab-images/profile.ts';
import { templateFor } from './vm-create-on.ts';

/* What the operations of `lab` do where its VMs are on a target; imported there, and not before. */

export type LabPlatform = Pick<RemoteLabState, 'platform'>;

/** Works with the VMs of the target that a lab is on. */
export async function onLab<T>(context: Context, { platform: on }: LabPlatform, work: (vms: RemoteVms) => Promise<T>): Promise<T> {
  await using platform = await openPlatform(context, await findTarget(context, on));
  return await work(platform.vms);
}

/** `lab up`, and `lab diff`, for a lab on a target. */
export async function labOnTarget(context: Context, lab: Lab, options: { readonly start: boolean; readonly replace: boolean }): Promise<UpResult> {
  const { publicKey } = await ensureSshKey(context.host, context.home);
  return await onLab(context, lab, (vms) =>
    labUpOn(context, lab, {
      ...options,
      vms,
      sshKeys: [publicKey],
      templateOf: ({ image, roles, release }) =>
        templateFor(context, { on: lab.platform, machine: { image, roles, release, cpus: DEFAULT_MACHINE.cpus, memory: 0, disk: undefined } }),
    }),
  );
}

/** What `lab up` would do. */
export async function planOnTarget(context: Context, lab: Lab, replace: boolean) {
  return await onLab(context, lab, async (vms) => (await prepareRemoteLab(context, lab, { vms, start: true, replace })).plan);
}
