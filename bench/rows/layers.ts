import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILD, fill, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * The template of ten layers from the guide, as a reader copies it: what a change of its last step costs against all of it, and what it costs
 * to hear that nothing changed.
 */

const GUIDE = fileURLToPath(new URL('../../docs/templates.md', import.meta.url));
const REPEATS = 15;

async function tenLayers(bench: Bench): Promise<string> {
  const block = /^```yaml\n(name: web\n[\s\S]*?)^```$/m.exec(await readFile(GUIDE, 'utf8'))?.[1];
  if (block === undefined) throw new Error(`${GUIDE} has no template named web`);
  const folder = join(bench.folder, 'ten-layers');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'web.yaml');
  await writeFile(path, block);
  await fill(bench, [path]);
  return path;
}

/** Seconds of a build; each image has a tag of its own, which never moves. */
async function build(bench: Bench, env: Readonly<Record<string, string>>, template: string, tag: string, title?: string): Promise<number> {
  const change = title === undefined ? [] : ['--var', `title=${title}`];
  return (await timed([bench.ingot, 'build', template, '--tag', tag, ...change, ...BUILD], env)).seconds;
}

async function changedLastStep(bench: Bench): Promise<Measured> {
  const template = await tenLayers(bench);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    const env = await newHome(bench, 'ten-layers', 'empty');
    bench.say(`round ${round}: all ten layers, none cached`);
    theirs.push(await build(bench, env, template, 'cold'));
    bench.say(`round ${round}: another last step`);
    for (const title of ['One', 'Two', 'Three']) ours.push(await build(bench, env, template, title, title));
    await rm(env.INGOT_HOME, { recursive: true });
  }
  return { unit: 's', ours, theirs, note: 'the step itself writes a file' };
}

export const changedStep: Row = {
  name: 'changed-last-step',
  what: 'a changed last step in a template of ten layers',
  against: 'its cold build, packages downloaded',
  target: { ratio: 0.05, value: 2 },
  measure: changedLastStep,
};

export const cachedLayers: Row = {
  name: 'ten-cached',
  what: 'ten layers, all cached, --offline',
  against: '-',
  target: { value: 0.3 },
  measure: async (bench) => {
    const template = await tenLayers(bench);
    const env = await newHome(bench, 'ten-cached', 'empty');
    await build(bench, env, template, 'cached');
    const ours: number[] = [];
    for (let i = 0; i <= REPEATS; i++) ours.push(await build(bench, env, template, 'cached'));
    await rm(env.INGOT_HOME, { recursive: true });
    return { unit: 's', ours: ours.slice(1), theirs: [] };
  },
};
