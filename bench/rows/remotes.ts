import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { has, startDockerRegistry } from '../../tests/support/docker-registry.ts';
import { BASE, BUILD, fill, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * Images to and from a registry on this machine: what a sibling sends, and how long the base takes, side by side with skopeo and the same layout.
 */

const MISSING = 'docker-registry or skopeo is not installed';
const pushedSchema = z.object({ bytes: z.number() });
const layersSchema = z.object({ layers: z.array(z.object({ size: z.number() })) });

function isMissing(): boolean {
  return !has('docker-registry', '--version') || !has('skopeo', '--version');
}

async function siblingBytes(bench: Bench): Promise<Measured | string> {
  if (isMissing()) return MISSING;
  const template = join(bench.folder, 'sibling.yaml');
  await writeFile(template, JSON.stringify({ name: 'sibling', from: BASE, packages: ['nginx'] }));
  await fill(bench, [template]);
  const env = await newHome(bench, 'sibling', 'base');
  await timed([bench.ingot, 'build', template, ...BUILD], env);
  await using registry = await startDockerRegistry({ secure: false });
  const push = [bench.ingot, 'image', 'push', '--plain-http', '--json'] as const;
  await timed([...push, BASE, `oci://${registry.server}/${BASE}`], env);
  const { stdout } = await timed([...push, 'sibling', `oci://${registry.server}/sibling`], env);
  const { layers } = layersSchema.parse(JSON.parse((await timed([bench.ingot, 'image', 'history', 'sibling', '--json'], env)).stdout));
  const own = layers.at(-1)?.size ?? Number.NaN;
  return { unit: 'MB', ours: [pushedSchema.parse(JSON.parse(stdout)).bytes / 1e6], theirs: [own / 1e6] };
}

export const pushSibling: Row = {
  name: 'push-sibling',
  what: 'bytes of pushing an image whose base is in the registry',
  against: 'its own layer',
  target: { ratio: 1.05 },
  measure: siblingBytes,
};

async function transfer(bench: Bench, which: 'push' | 'pull'): Promise<Measured | string> {
  if (isMissing()) return MISSING;
  const env = await newHome(bench, 'remotes', 'base');
  const layout = `oci:${join(env.INGOT_HOME, 'store')}:${BASE}:latest`;
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < bench.rounds; round++) {
    // Empty each time: what is there is not sent.
    await using registry = await startDockerRegistry({ secure: false });
    const address = `${registry.server}/ours/${BASE}`;
    const push = await timed([bench.ingot, 'image', 'push', '--plain-http', '--quiet', BASE, `oci://${address}`], env);
    if (which === 'push') {
      ours.push(push.seconds);
      await using other = await startDockerRegistry({ secure: false });
      const target = `docker://${other.server}/theirs/${BASE}:latest`;
      theirs.push((await timed(['skopeo', 'copy', '--quiet', '--insecure-policy', '--dest-tls-verify=false', layout, target])).seconds);
      continue;
    }
    const empty = await newHome(bench, 'remotes-empty', 'empty');
    ours.push((await timed([bench.ingot, 'image', 'pull', '--plain-http', '--quiet', `oci://${address}`], empty)).seconds);
    const target = join(bench.folder, 'skopeo-copy');
    theirs.push(
      (await timed(['skopeo', 'copy', '--quiet', '--insecure-policy', '--src-tls-verify=false', `docker://${address}:latest`, `oci:${target}:x`])).seconds,
    );
    await rm(target, { recursive: true, force: true });
    await rm(empty.INGOT_HOME, { recursive: true, force: true });
  }
  return { unit: 's', ours, theirs };
}

/** At least 0.8 times as fast. */
const RATIO = 1 / 0.8;

export const pushBase: Row = {
  name: 'push',
  what: `pushing ${BASE} to an empty registry on this machine`,
  against: 'skopeo copy of the same layout',
  target: { ratio: RATIO },
  measure: (bench) => transfer(bench, 'push'),
};

export const pullBase: Row = {
  name: 'pull',
  what: `pulling ${BASE} from a registry on this machine`,
  against: 'skopeo copy to a layout',
  target: { ratio: RATIO },
  measure: (bench) => transfer(bench, 'pull'),
};
