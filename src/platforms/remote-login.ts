import { dirname } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { CommandOptions, CommandResult } from '../base/process.ts';
import { busyBy } from './guest-activity.ts';
import type { SshAccess } from './local/guest-spec.ts';
import { ANY_EXIT_CODE, ensureSshKey, loginLimit, sshCommand, waitForLogin } from './local/ssh.ts';
import type { PlatformContext } from './platform.ts';
import type { RemoteVm, RemoteVms } from './remote-vms.ts';

/** A VM that lets one in. */
export interface ReachedVm {
  readonly spec: { readonly name: string; readonly ssh: SshAccess };
  /** Runs a command there, its words as they are; any exit code is an answer (255 is also ssh's own failure). */
  ssh(argv: readonly string[], options?: Omit<CommandOptions, 'accept'>): Promise<CommandResult>;
}

/**
 * Waits until one can log in to a VM on a target with ingot's own key; says what it waits for. `limit` is in seconds; without one, a guest that does something
 * is waited for longer. Throws `vm-not-running`, `guest-silent`, `ssh-timeout`.
 */
export async function reachVm(
  context: PlatformContext,
  vms: Pick<RemoteVms, 'access' | 'activity' | 'find'>,
  found: RemoteVm,
  limit?: number,
): Promise<ReachedVm> {
  const { host, home, events, signal } = context;
  const { name, on } = found;
  requireRunning(found);
  const key = await ensureSshKey(host, home);
  return await events.stage(`Waiting for ${name}`, async (span) => {
    const { address, port, user, identity } = await vms.access(found, span);
    const knownHosts = home.knownHosts(identity);
    await host.files.makeDirectory(dirname(knownHosts), 0o700);
    const access: SshAccess = { address, port, user, key: key.path, knownHosts };
    await waitForLogin(host, name, access, {
      ...(limit === undefined ? { limit: loginLimit('kvm'), stillBusy: busyBy(host.clock, () => vms.activity(found)) } : { limit }),
      signal,
      onWait: (what) => span.progress(0, undefined, 'items', what),
      checkAlive: async () => requireRunning(await vms.find(found.id)),
      hint: `Can this host reach ${address}? \`ingot vm console ${name} --on ${on}\` says where its console is.`,
    });
    return { spec: { name, ssh: access }, ssh: (argv, options) => host.processes.run(sshCommand(name, access, argv), { ...options, accept: ANY_EXIT_CODE }) };
  });
}

function requireRunning({ name, on, state }: RemoteVm): void {
  if (state === 'running' || state === 'busy') return;
  throw new IngotError('conflict', 'vm-not-running', `${name} on ${on} is ${state}`, { hint: `Start it with \`ingot vm start ${name} --on ${on}\`.` });
}
