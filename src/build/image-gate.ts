import { Memo } from '../base/memo.ts';
import { gateFingerprint, type GateFingerprint } from '../gate/fingerprint.ts';
import { gateThatHolds, notRun, type GateLevel } from '../gate/known.ts';
import type { Context } from '../operations/operation.ts';
import { architectureSchema } from '../platforms/local/guest-spec.ts';
import type { GateStatement, Image } from '../store/model.ts';
import type { ResolvedTest } from '../template/template.ts';
import type { Needs } from './scheduler.ts';

/** What an image has to pass before its tags move. */
export interface ImageGate {
  /** What its run takes, and what its time is remembered by. */
  readonly needs: Needs;
  readonly kind: string;
  /** An earlier result that still holds; asks little, writes nothing. */
  known(context: Context, image: Image): Promise<GateStatement | undefined>;
  run(context: Context, image: Image): Promise<GateStatement>;
}

/** A guest of 1 GiB on a processor of its own, and what it writes. */
const BOOT_NEEDS: Needs = { cpus: 1, memory: 2 ** 30, disk: 512 * 2 ** 20 };
const NO_NEEDS: Needs = { cpus: 0, memory: 0, disk: 0 };

/**
 * The gates of a level for any number of images, each with the tests of its template. What all of them ask of the host is asked once.
 */
export function imageGates(level: GateLevel | 'none'): (tests: readonly ResolvedTest[]) => ImageGate {
  if (level === 'none') {
    const none: ImageGate = {
      needs: NO_NEEDS,
      kind: 'gate none',
      known: (_, image) => Promise.resolve(image.gate),
      run: (context, image) => notRun(context, image, 'switched off with --no-gate'),
    };
    return () => none;
  }
  const fingerprints = new Memo<GateFingerprint>();
  return (tests) => ({
    needs: BOOT_NEEDS,
    kind: `gate ${level}`,
    async known(context, image) {
      const arch = architectureSchema.parse(image.config.architecture);
      const now = await fingerprints.get(arch, () => gateFingerprint(context.host, context.home, arch));
      return await gateThatHolds(context, image, level, { tests, now });
    },
    async run(context, image) {
      const { gateImage } = await import('../gate/gate.ts');
      return await gateImage(context, image, level, tests);
    },
  });
}
