import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BASE, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * Planning 500 images: twenty templates with packages and steps of their own, each for 25 customers. Their packages were resolved once
 * before; what a plan of so many costs is reading, joining, hashing.
 */

const TEMPLATES = 20;
const SITES = 25;
const REPEATS = 7;
const REPORT = fileURLToPath(new URL('../report-memory.mjs', import.meta.url));
const PACKAGES = ['nginx', 'redis-server', 'haproxy', 'git', 'jq', 'rsync', 'htop', 'tmux', 'memcached', 'sqlite3'];

let megabytes: number[] | undefined;

async function fleetFile(bench: Bench): Promise<string> {
  const folder = join(bench.folder, 'plan-fleet');
  await mkdir(folder, { recursive: true });
  const templates: string[] = [];
  const include: object[] = [];
  for (let i = 0; i < TEMPLATES; i++) {
    const template = `./server-${i}.yaml`;
    const packages = PACKAGES.filter((_, bit) => (i + 1) & (1 << bit));
    const content = {
      from: BASE,
      variables: { site: { default: 'none' } },
      packages,
      users: [{ name: 'deploy', groups: ['adm'], sudo: true }],
      system: { timezone: 'Europe/Zurich', sysctl: { 'net.core.somaxconn': 1024 + i } },
      steps: [
        { run: `echo server-${i} > /etc/server` },
        { file: '/etc/motd', content: `server-${i}\n` },
        { name: 'site', run: 'echo "$SITE" > /etc/site', env: { SITE: '{{ site }}' } },
      ],
    };
    await writeFile(join(folder, template), JSON.stringify(content));
    templates.push(template);
    for (let site = 1; site < SITES; site++) include.push({ template, name: `server-${i}-site-${site}`, variables: { site: `site-${site}` } });
  }
  const path = join(folder, 'fleet.yaml');
  await writeFile(path, JSON.stringify({ templates, include }, undefined, 2));
  return path;
}

async function measure(bench: Bench): Promise<Measured> {
  const fleet = await fleetFile(bench);
  const env = await newHome(bench, 'plan-fleet', 'base');
  bench.say('preparing: every package list resolved once');
  await timed([bench.ingot, 'plan', fleet, '--quiet'], env);
  const argv = [bench.ingot, 'plan', fleet, '--offline', '--quiet'] as const;
  const { stdout } = await timed(argv, env);
  if (!stdout.includes(`${TEMPLATES * SITES} images`)) throw new Error(`not ${TEMPLATES * SITES} images:\n${stdout.slice(-500)}`);
  const ours: number[] = [];
  for (let i = 0; i < REPEATS; i++) ours.push((await timed(argv, env)).seconds);
  megabytes = [];
  const file = join(bench.folder, 'memory');
  for (let i = 0; i < 3; i++) {
    await timed(argv, { ...env, NODE_OPTIONS: `--import=${REPORT}`, BENCH_MEMORY_FILE: file });
    megabytes.push(Number(await readFile(file, 'utf8')) / 1e6);
  }
  return { unit: 's', ours, theirs: [] };
}

export const planFleet: Row = {
  name: 'plan-fleet',
  what: `planning a fleet of ${TEMPLATES * SITES} images`,
  against: '-',
  target: { value: 1 },
  measure,
};

export const planFleetMemory: Row = {
  name: 'plan-fleet-memory',
  what: 'the most memory that planning it takes',
  against: '-',
  target: { value: 300 },
  measure: async () => (megabytes === undefined ? 'needs plan-fleet in the same run' : { unit: 'MB', ours: megabytes, theirs: [] }),
};
