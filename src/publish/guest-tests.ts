import { combinedScript, readAnswers } from '../gate/script.ts';
import { TEST_SECONDS } from '../gate/template-tests.ts';
import type { GuestTests } from '../platforms/platform.ts';
import type { Image } from '../store/model.ts';

/** Seconds beside those of the tests, for a login. */
const MARGIN = 60;

/** The tests of the template that an image was built from, as its gate ran them; nothing where it has none. Pure. */
export function guestTests({ gate }: Pick<Image, 'gate'>): GuestTests | undefined {
  const tests = gate?.tests ?? [];
  if (tests.length === 0) return undefined;
  return {
    names: tests.map(({ name }) => name),
    script: combinedScript(tests, {}),
    limit: tests.length * TEST_SECONDS + MARGIN,
    read: (output) => readAnswers(tests, output),
  };
}
