import { fileURLToPath } from 'node:url';
import { IngotError, toIngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';
import { withAgent } from './agent.ts';

declare const INGOT_THAW_GUARD: string | undefined;

/** Seconds for the agent to answer at all, and for freezing: a guest that has much to write takes long. */
const GREETING_SECONDS = 10;
const FREEZE_SECONDS = 60;
const THAW_SECONDS = 30;

/*
 * While filesystems are frozen, whatever writes in the guest waits. The agent in it thaws them only when it is told to, so besides whoever froze
 * them there is a guard, a process of its own that notices when ingot ends. The conversation with the agent lasts as long as the frost: it
 * takes one client at a time, so that no guard of another command thaws what this one froze.
 */

/** What came of freezing a guest's filesystems. */
export interface FreezeResult {
  /** Undefined where they are frozen; else whether the agent answered, and what it said. */
  readonly failure: { readonly answered: boolean; readonly error: IngotError } | undefined;
  /** Thaws them; returns whether that is sure. Where it is not, the guard goes on trying. */
  thaw(): Promise<boolean>;
}

/** Has a running guest's filesystems written out and frozen through its agent, until they are thawed or ingot ends. Throws nothing but system errors. */
export async function freezeFiles(host: Host, socket: HostPath): Promise<FreezeResult> {
  const guard = startGuard(host, socket);
  const [frozen, enough] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let [answered, thawed] = [false, true];
  const talk = async (): Promise<void> => {
    try {
      await withAgent(
        host,
        socket,
        async (agent) => {
          [answered, thawed] = [true, false];
          let refused = false;
          try {
            await agent.freeze(FREEZE_SECONDS).catch((error: unknown) => {
              refused = error instanceof IngotError && error.code === 'agent-refused';
              throw error;
            });
            frozen.resolve();
            await enough.promise;
          } finally {
            thawed = await agent.thaw(THAW_SECONDS).then(
              () => true,
              // An agent that refuses both, since it may do neither, has frozen nothing.
              () => refused,
            );
          }
        },
        { seconds: GREETING_SECONDS },
      );
    } finally {
      guard.end(thawed);
    }
  };
  const ended = talk().catch(frozen.reject);
  const failure = await frozen.promise.then(
    () => undefined,
    (error: unknown) => ({ answered, error: toIngotError(error) }),
  );
  return {
    failure,
    async thaw() {
      enough.resolve();
      await ended;
      return thawed;
    },
  };
}

/** Thaws the filesystems of a guest that a killed ingot may have left frozen. Throws what {@link withAgent} throws. */
export async function thawFiles(host: Host, socket: HostPath): Promise<void> {
  await withAgent(host, socket, (agent) => agent.thaw(THAW_SECONDS), { seconds: GREETING_SECONDS });
}

interface Guard {
  /** Lets it go; where the guest was not thawed, it goes on trying. */
  end(thawed: boolean): void;
}

/** Starts the process that thaws the guest when this one has ended. */
function startGuard(host: Host, socket: HostPath): Guard {
  const relative = typeof INGOT_THAW_GUARD === 'undefined' ? './thaw-guard-program.ts' : INGOT_THAW_GUARD;
  const program = fileURLToPath(new URL(relative, import.meta.url));
  const running = host.processes.spawn([process.execPath, program, socket], { stdin: 'pipe', detached: true });
  running.stdin?.on('error', () => undefined);
  return { end: (thawed) => void running.stdin?.end(thawed ? 'done\n' : '') };
}
