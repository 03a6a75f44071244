import { fileURLToPath } from 'node:url';
import { IngotError, toIngotError } from '../../base/errors.ts';
import { parseName } from '../../base/types.ts';
import { withAgent } from './agent.ts';
import { guestFiles, type GuestFiles } from './guest-spec.ts';
import type { LabContext } from './view.ts';
import { vmPid, type VmRecord } from './vms.ts';

declare const INGOT_THAW_GUARD: string | undefined;

/** Seconds for the agent to answer, and for freezing: a guest that has much to write takes long. */
const GREETING_SECONDS = 10;
const FREEZE_SECONDS = 60;
const THAW_SECONDS = 30;

/*
 * While file systems are frozen, whatever writes in the guest waits. The agent in it thaws them only when it is told to, so three see to that: whoever
 * froze them; a guard, a process of its own that notices when ingot ends; and whoever holds the VM next, by a mark in its folder.
 */

/**
 * Does something while the file systems of a running guest are frozen by its agent: all that its programs have written is then on its disks, and
 * nothing is half written. They are thawed in any case. Throws `agent-missing` where no agent answers, `guest-not-frozen` where it cannot, and
 * what `work` throws. The caller holds the VM's lock.
 */
export async function whileAtRest<T>(context: LabContext, vm: VmRecord, work: () => Promise<T>): Promise<T> {
  const { host, home, events, signal } = context;
  const files = guestFiles(home.vm(parseName(vm.name, 'a VM')));
  signal.throwIfAborted();
  // Without the signal: once it is frozen, the guest is thawed before anything else.
  return await withAgent(
    host,
    files.agent,
    async (agent) => {
      const guard = startGuard(context, files);
      await host.files.write(files.frozen, '');
      const start = host.clock.monotonic();
      let thawed = false;
      try {
        await agent.freeze(FREEZE_SECONDS).catch((error: unknown) => {
          throw notFrozen(vm, error);
        });
        return await work();
      } finally {
        thawed = await agent.thaw(THAW_SECONDS).then(
          () => true,
          () => false,
        );
        const seconds = (host.clock.monotonic() - start) / 1000;
        events.message('debug', `The file systems of ${vm.name} were at rest for ${seconds.toFixed(2)} s.`);
        if (thawed) await host.files.remove(files.frozen);
        else events.message('warn', `The guest agent of ${vm.name} does not answer: its file systems may be frozen still, and are thawed when it does`);
        guard.end(thawed);
      }
    },
    { seconds: GREETING_SECONDS },
  ).catch((error: unknown) => {
    throw isWithoutAgent(error) ? agentMissing(vm, error) : error;
  });
}

/** Thaws a guest that a killed ingot left frozen. The caller holds the VM's lock. */
export async function thawForgotten({ host, home, events }: LabContext, vm: VmRecord): Promise<void> {
  const name = parseName(vm.name, 'a VM');
  const files = guestFiles(home.vm(name));
  if ((await host.files.status(files.frozen)) === undefined) return;
  if ((await vmPid(host, home, name)) !== undefined) {
    try {
      await withAgent(host, files.agent, (agent) => agent.thaw(THAW_SECONDS), { seconds: GREETING_SECONDS });
      events.message('info', `The file systems of ${name}, which a killed command had frozen, are thawed`);
    } catch (error) {
      events.message(
        'warn',
        `The file systems of ${name} may be frozen by a killed command, and its guest agent does not answer: ${toIngotError(error).message}`,
      );
      return;
    }
  }
  await host.files.remove(files.frozen);
}

interface Guard {
  /** Lets it go; where the guest was not thawed, it goes on trying. */
  end(thawed: boolean): void;
}

/** Starts the process that thaws the guest when this one has ended. */
function startGuard({ host }: LabContext, { agent, frozen }: Pick<GuestFiles, 'agent' | 'frozen'>): Guard {
  const relative = typeof INGOT_THAW_GUARD === 'undefined' ? './thaw-guard-program.ts' : INGOT_THAW_GUARD;
  const program = fileURLToPath(new URL(relative, import.meta.url));
  const running = host.processes.spawn([process.execPath, program, agent, frozen], { stdin: 'pipe', detached: true });
  running.stdin?.on('error', () => undefined);
  return { end: (thawed) => void running.stdin?.end(thawed ? 'done\n' : '') };
}

function isWithoutAgent(error: unknown): boolean {
  return error instanceof IngotError && (error.code === 'agent-silent' || error.code === 'agent-gone');
}

function agentMissing(vm: VmRecord, cause: unknown): IngotError {
  return new IngotError('host', 'agent-missing', `${vm.name} runs, and no guest agent in it answers, which would bring its file systems to rest`, {
    cause,
    hint: 'Install qemu-guest-agent in it. Or use --stop, which shuts it down for a moment, or --crash-consistent: its disk is then as after a power cut.',
    detail: toIngotError(cause).message,
  });
}

function notFrozen(vm: VmRecord, cause: unknown): IngotError {
  return new IngotError('host', 'guest-not-frozen', `The file systems of ${vm.name} could not be brought to rest`, {
    cause,
    hint: 'Use --stop, which shuts it down for a moment, or --crash-consistent: its disk is then as after a power cut.',
    detail: toIngotError(cause).message,
  });
}
