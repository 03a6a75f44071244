import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BASE, BUILD, fill, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * Seven servers on one base: what it costs to build them together, and what they take on the disk, against seven builds by somebody who keeps
 * nothing between them.
 */

const SERVERS: Readonly<Record<string, readonly string[]>> = {
  web: ['nginx'],
  cache: ['redis-server'],
  balancer: ['haproxy'],
  queue: ['rabbitmq-server'],
  database: ['mariadb-server'],
  containers: ['docker.io'],
  names: ['bind9'],
};

/** What the rows about the fleet share: it is built once in a run. */
let stored: { readonly fleet: number; readonly flat: number } | undefined;

async function fleetFiles(bench: Bench): Promise<{ fleet: string; templates: string[] }> {
  const folder = join(bench.folder, 'fleet');
  await mkdir(folder, { recursive: true });
  const templates: string[] = [];
  for (const [name, packages] of Object.entries(SERVERS)) {
    const path = join(folder, `${name}.yaml`);
    const steps = [{ file: '/etc/motd', content: `This is the ${name}.\n` }];
    await writeFile(path, JSON.stringify({ name, from: BASE, packages, steps }));
    templates.push(path);
  }
  const fleet = join(folder, 'servers.yaml');
  await writeFile(fleet, JSON.stringify({ fleet: 'servers', templates: Object.keys(SERVERS).map((name) => `./${name}.yaml`) }, undefined, 2));
  await fill(bench, [fleet]);
  return { fleet, templates };
}

async function measureFleet(bench: Bench): Promise<Measured> {
  const { fleet, templates } = await fleetFiles(bench);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`round ${round}: seven builds, one after the other, each without cache`);
    let seconds = 0;
    let flat = 0;
    for (const [i, template] of templates.entries()) {
      const env = await newHome(bench, 'one-of-fleet', 'empty');
      seconds += (await timed([bench.ingot, 'build', template, ...BUILD], env)).seconds;
      if (stored === undefined) {
        const exported = join(bench.folder, 'flat.qcow2');
        await timed([bench.ingot, 'image', 'export', Object.keys(SERVERS)[i] ?? '', exported, '--force', '--quiet'], env);
        flat += await bytesOnDisk(exported);
        await rm(exported);
      }
      await rm(env.INGOT_HOME, { recursive: true });
    }
    theirs.push(seconds);
    const env = await newHome(bench, 'fleet', 'empty');
    bench.say(`round ${round}: one fleet of seven`);
    ours.push((await timed([bench.ingot, 'build', fleet, ...BUILD], env)).seconds);
    stored ??= { fleet: await bytesOnDisk(join(env.INGOT_HOME, 'store')), flat };
    await rm(env.INGOT_HOME, { recursive: true });
  }
  return { unit: 's', ours, theirs, note: 'nothing cached in either, packages downloaded' };
}

/** What a file, or all below a folder, takes on the disk. */
async function bytesOnDisk(path: string): Promise<number> {
  const status = await stat(path);
  if (!status.isDirectory()) return status.blocks * 512;
  const sizes = await Promise.all((await readdir(path)).map((name) => bytesOnDisk(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, status.blocks * 512);
}

export const fleetBuild: Row = {
  name: 'fleet-build',
  what: 'seven variants on one base, in one fleet',
  against: 'seven builds one after the other, no cache',
  target: { ratio: 0.35 },
  measure: measureFleet,
};

export const fleetSize: Row = {
  name: 'fleet-size',
  what: 'the store with seven variants on one base',
  against: 'the seven flat images, exported as qcow2',
  target: { ratio: 0.4 },
  measure: async () => {
    if (stored === undefined) return 'needs fleet-build in the same run';
    return { unit: 'MB', ours: [stored.fleet / 1e6], theirs: [stored.flat / 1e6] };
  },
};
