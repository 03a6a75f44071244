import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { CloudMirror } from '../../tests/support/cloud-mirror.ts';
import { BASE, exportedBase, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * The cloud image of a release to an image with a step of one's own: its list and signature are asked for and proved, the file is in the cache of downloads, and
 * nothing else is there. Taken in, grown, sealed, and the step, which writes a word. The image is ingot's own base, from a mirror on this host.
 */

const REPEATS = 7;
const ARCHIVE = { suites: ['bookworm'], components: ['main'] };

async function customised(bench: Bench): Promise<Measured | string> {
  for (const program of ['gpg', 'gpgv']) if ((await findProgram(realHost(), program)) === undefined) return `${program} is not installed`;
  const folder = join(bench.folder, 'cloud-image');
  await using mirror = await CloudMirror.open(join(folder, 'mirror'));
  await realHost().files.copy(await exportedBase(bench), join(mirror.folder, 'disk.qcow2'));
  await mirror.add('disk.qcow2', { id: 'debian-cloud', archive: ARCHIVE });
  await mirror.publish();
  const template = join(folder, 'customised.yaml');
  await writeFile(template, 'from: debian-cloud\ndisk: { size: 8GiB }\nsteps:\n  - run: echo yes >/etc/customised\n');
  const env = await newHome(bench, 'cloud-image', 'empty');
  await mirror.catalog(join(env.INGOT_HOME, 'catalog'), { distribution: 'debian' });
  const ours: number[] = [];
  for (let round = 0; round <= REPEATS; round++) {
    bench.say(round === 0 ? `preparing: the image of ${BASE} is downloaded` : `round ${round}`);
    const { seconds } = await timed([bench.ingot, 'build', template, '--no-gate', '--yes', '--quiet'], env);
    // The first has downloaded it.
    if (round > 0) ours.push(seconds);
    for (const name of ['store', 'cache/resolutions']) await rm(join(env.INGOT_HOME, name), { recursive: true, force: true });
    await mkdir(join(env.INGOT_HOME, 'cache', 'resolutions'), { recursive: true });
    await timed(['sync']);
  }
  return { unit: 's', ours, theirs: [], note: 'its list and signature are asked for; the download is cached; the step writes a word' };
}

export const cloudImage: Row = {
  name: 'cloud-image',
  what: 'a cloud image to a customised one, without download and gate',
  against: '-',
  target: { value: 3 },
  measure: customised,
};
