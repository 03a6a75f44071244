import type { Context } from '../operations/operation.ts';
import { architectureSchema } from '../platforms/local/guest-spec.ts';
import type { GateStatement, Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { ResolvedTest } from '../template/template.ts';
import { gateFingerprint, withTests, type GateFingerprint } from './fingerprint.ts';

/* What is known of an image's gate without running it: a build where all is cached loads no more of the gate than this. */

export type GateLevel = 'quick' | 'full';

/**
 * What an earlier gate of the same image found, where it still holds: same checks and tests, QEMU and firmware, and passed at this level or a
 * higher one. `now` is the fingerprint of this architecture without tests, where it is known already. Boots nothing and writes nothing but the cache of digests.
 */
export async function gateThatHolds(
  context: Pick<Context, 'host' | 'home'>,
  image: Image,
  level: GateLevel,
  { tests = [], now }: { readonly tests?: readonly ResolvedTest[]; readonly now?: GateFingerprint } = {},
): Promise<GateStatement | undefined> {
  if (image.gate === undefined) return undefined;
  const fingerprint = now ?? (await gateFingerprint(context.host, context.home, architectureSchema.parse(image.config.architecture)));
  // Statements of before did not keep the tests, which targets run too.
  if (tests.length > 0 && image.gate.tests === undefined) return undefined;
  return stillHolds(image.gate, withTests(fingerprint, tests), level) ? image.gate : undefined;
}

/** The statement of a gate that was not run, and why; kept beside the image unless a real result is there. */
export async function notRun(context: Context, image: Image, reason: string): Promise<GateStatement> {
  if (image.gate !== undefined && image.gate.result !== 'not-run') return image.gate;
  const statement: GateStatement = {
    v: 1,
    result: 'not-run',
    level: 'quick',
    suite: '',
    qemu: '',
    firmware: [],
    accelerator: '',
    reason,
    checks: [],
    finished: context.host.clock.now().toISOString(),
  };
  if (image.gate === undefined || image.gate.reason !== reason) await openStore(context.host, context.home).addGate(image, statement);
  return statement;
}

function stillHolds(gate: GateStatement, now: GateFingerprint, level: GateLevel): boolean {
  const same = gate.suite === now.suite && gate.qemu === now.qemu && gate.firmware.join() === now.firmware.join();
  return gate.result === 'passed' && same && (gate.level === 'full' || level === 'quick');
}
