import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostPath } from '../../src/base/types.ts';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { fillStore } from '../../tests/support/sample-images.ts';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';

const REPEATS = 25;
const IMAGES = 1000;

/** Starts both in turn; each start of an empty program is Node's own. */
async function inTurn(bench: Bench, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Measured> {
  const empty = join(bench.folder, 'empty.mjs');
  await writeFile(empty, '');
  const ours: number[] = [];
  const theirs: number[] = [];
  await timed([bench.ingot, ...args], env); // fills the compile cache, as the second start of any user finds it
  for (let i = 0; i < REPEATS; i++) {
    theirs.push((await timed([process.execPath, empty])).seconds);
    ours.push((await timed([bench.ingot, ...args], env)).seconds);
  }
  return { unit: 's', ours, theirs };
}

export const versionStart: Row = {
  name: 'start-version',
  what: 'ingot --version',
  against: "Node's own empty start",
  target: { ratio: 2.5 },
  measure: (bench) => inTurn(bench, ['--version'], {}),
};

export const listStart: Row = {
  name: 'start-list',
  what: `ingot image list with ${IMAGES} images`,
  against: "Node's own empty start",
  target: { ratio: 2.5 },
  measure: async (bench) => {
    const host = realHost();
    const root = hostPath(join(bench.folder, 'home-list'));
    await fillStore(host, await openHome(host, root), IMAGES);
    return await inTurn(bench, ['image', 'list'], { INGOT_HOME: root });
  },
};
