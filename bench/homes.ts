import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostPath, type HostPath } from '../src/base/types.ts';
import type { Bench } from './row.ts';
import { timed } from './run-command.ts';

/*
 * Homes for measuring: each round gets one of its own, in which packages are downloaded, repositories known and, where it is asked for, the
 * base is there, and nothing else. They are copied from one that did all of it before the clock runs.
 */

/** The release that the templates here start from. */
export const BASE = 'debian-12';
/** Flags of every build that is measured: what is compared is the making of a disk. */
export const BUILD = ['--no-gate', '--offline', '--yes', '--quiet'] as const;

let warm: { readonly root: string; readonly store: string; readonly filled: Set<string> } | undefined;

/** The home that knows the base, made once in a run; and a copy of its store from before anything else was built. */
async function warmHome(bench: Bench): Promise<NonNullable<typeof warm>> {
  if (warm !== undefined) return warm;
  const root = join(bench.folder, 'home-warm');
  const store = join(bench.folder, 'store-of-base');
  bench.say(`preparing: ${BASE} in a home that the others are copied from`);
  await timed([bench.ingot, 'build', BASE, '--no-gate', '--yes', '--quiet'], { INGOT_HOME: root });
  await copy(join(root, 'store'), store);
  warm = { root, store, filled: new Set() };
  return warm;
}

/**
 * Builds once what is measured later, so that its packages are downloaded and its repositories known. Returns the packages that came new, as
 * they were downloaded.
 */
export async function fill(bench: Bench, build: readonly string[]): Promise<HostPath[]> {
  const { root, filled } = await warmHome(bench);
  const packages = join(root, 'cache', 'packages');
  const before = new Set(await readdir(packages));
  const what = build.join(' ');
  if (!filled.has(what)) {
    bench.say(`preparing: ingot build ${what}`);
    await timed([bench.ingot, 'build', ...build, '--no-gate', '--yes', '--quiet'], { INGOT_HOME: root });
    filled.add(what);
  }
  return (await readdir(packages)).filter((name) => /^[0-9a-f]{64}$/.test(name) && !before.has(name)).map((name) => hostPath(join(packages, name)));
}

/** A new home with the caches of the warm one, and its base or no layer at all. */
export async function newHome(bench: Bench, name: string, store: 'base' | 'empty'): Promise<{ INGOT_HOME: HostPath }> {
  const from = await warmHome(bench);
  const root = hostPath(join(bench.folder, `home-${name}`));
  await rm(root, { recursive: true, force: true });
  // Makes a home of this version, whatever that holds.
  await timed([bench.ingot, 'image', 'list', '--quiet'], { INGOT_HOME: root });
  await rm(join(root, 'cache'), { recursive: true, force: true });
  await copy(join(from.root, 'cache'), join(root, 'cache'));
  if (store === 'base') {
    await rm(join(root, 'store'), { recursive: true, force: true });
    await copy(from.store, join(root, 'store'));
  }
  // What was copied is on the disk before a clock runs.
  await timed(['sync']);
  return { INGOT_HOME: root };
}

/** The base as one flat file, for those who know no layers. */
export async function exportedBase(bench: Bench): Promise<HostPath> {
  const { root } = await warmHome(bench);
  const folder = join(bench.folder, 'base');
  await mkdir(folder, { recursive: true });
  const path = hostPath(join(folder, `${BASE}.qcow2`));
  await timed([bench.ingot, 'image', 'export', BASE, path, '--force', '--quiet'], { INGOT_HOME: root });
  return path;
}

/** Dates to the nanosecond, and nothing copied twice where the file system can share: what a state is checked by must not change. */
async function copy(from: string, to: string): Promise<void> {
  await timed(['cp', '-a', '--reflink=auto', from, to]);
}

/** A step that says a word: with another word it is another layer. */
export const FIRST_STEP = 'the first step runs';

/** Lets the helper VM be made and its RAM be saved, by a step that runs there. Returns the step's template, with the variable `word`. */
export async function fillHelperVm(bench: Bench): Promise<string> {
  const template = join(bench.folder, 'first-step.yaml');
  const steps = [{ run: `echo "${FIRST_STEP}: $WORD"`, env: { WORD: '{{ word }}' } }];
  await writeFile(template, JSON.stringify({ name: 'first-step', from: BASE, variables: { word: { default: 'warm' } }, steps }));
  await fill(bench, [template, '--workspace', 'vm']);
  return template;
}
