import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';

const planSchema = z.object({ images: z.array(z.object({ layers: z.array(z.object({ packageNames: z.array(z.string()) })) })) });

/** Images of the last cold build, for the rows that compare them. */
export const built: { ours?: { home: string; exported: string }; plain?: string } = {};

async function packageList(bench: Bench, home: string): Promise<string[]> {
  const { stdout } = await timed([bench.ingot, 'plan', 'debian-12', '--json'], { INGOT_HOME: home });
  return planSchema.parse(JSON.parse(stdout)).images.flatMap(({ layers }) => layers.flatMap((layer) => layer.packageNames));
}

async function measure(bench: Bench): Promise<Measured | string> {
  if (bench.plainPipeline === undefined) return 'the plain pipeline is not there; name it with --plain-pipeline';
  const ours: number[] = [];
  const theirs: number[] = [];
  const planning = join(bench.folder, 'planning');
  const packages = await packageList(bench, planning);
  await rm(planning, { recursive: true });
  for (let round = 1; round <= bench.rounds; round++) {
    const home = join(bench.folder, `home-${round}`);
    const plain = join(bench.folder, `plain-${round}`);
    await mkdir(plain);
    bench.say(`round ${round}: the plain pipeline`);
    const output = join(plain, 'plain.qcow2');
    theirs.push((await timed([bench.plainPipeline, 'bookworm', output, packages.join(',')])).seconds);
    bench.say(`round ${round}: ingot build debian-12 --no-gate, nothing cached`);
    ours.push((await timed([bench.ingot, 'build', 'debian-12', '--no-gate', '--yes', '--quiet'], { INGOT_HOME: home })).seconds);
    built.plain = output;
    built.ours = { home, exported: '' };
  }
  return { unit: 's', ours, theirs, note: `${packages.length} packages in both, downloads included` };
}

async function measureSize(bench: Bench): Promise<Measured | string> {
  if (built.ours === undefined || built.plain === undefined) return 'needs build-cold in the same run';
  const exported = join(bench.folder, 'ours.qcow2');
  await timed([bench.ingot, 'image', 'export', 'debian-12', exported, '--force', '--quiet'], { INGOT_HOME: built.ours.home });
  built.ours = { ...built.ours, exported };
  const megabytes = async (path: string): Promise<number> => (await stat(path)).size / 1e6;
  return { unit: 'MB', ours: [await megabytes(exported)], theirs: [await megabytes(built.plain)] };
}

export const coldBuild: Row = {
  name: 'build-cold',
  what: 'build of debian-12, nothing cached, no gate',
  against: 'the plain pipeline',
  target: { ratio: 0.55 },
  measure,
};

export const exportedSize: Row = {
  name: 'export-size',
  what: 'exported qcow2',
  against: "the plain pipeline's",
  target: { ratio: 0.75, value: 180 },
  measure: measureSize,
};

/** The same build again, from the home of the cold one. */
export const cachedBuild: Row = {
  name: 'build-cached',
  what: 'the same build again, --offline',
  against: '-',
  target: { value: 0.2 },
  measure: async (bench) => {
    if (built.ours === undefined) return 'needs build-cold in the same run';
    const env = { INGOT_HOME: built.ours.home };
    const argv = [bench.ingot, 'build', 'debian-12', '--no-gate', '--offline', '--quiet'] as const;
    await timed(argv, env);
    const ours: number[] = [];
    for (let i = 0; i < 15; i++) ours.push((await timed(argv, env)).seconds);
    return { unit: 's', ours, theirs: [] };
  },
};
