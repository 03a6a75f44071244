import { randomInt } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';

const KILLS = 20;
/** Seconds in which a build with all its packages at hand certainly is not done. */
const LATEST = 15;
/** The kernel takes a moment to end a process tree. */
const MOMENT = 0.5;

const reason = whyNot();
const builtSchema = z
  .object({ images: z.tuple([z.object({ digest: z.string(), layers: z.array(z.object({ cached: z.boolean() })) })]) })
  .transform(({ images: [image] }) => image);

describe.skipIf(reason !== undefined)(`kill -9${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  beforeAll(async () => {
    home = await TestHome.make();
    // Downloads the packages, so that the kills fall into the work itself.
    await home.json(['build', 'debian-12', '--no-gate', '--yes', '--name', 'warm-up']);
    await home.ingot(['image', 'remove', 'warm-up', '--all-tags']);
    await home.ingot(['image', 'prune', '--layers', '--yes']);
  });
  afterAll(() => home[Symbol.asyncDispose]());

  test(`of a build at ${KILLS} random moments leaves nothing, and the next build finishes`, async () => {
    for (let i = 0; i < KILLS; i++) {
      const running = home.start(['build', 'debian-12', '--no-gate', '--quiet']);
      await sleep(randomInt(50, LATEST * 1000));
      running.kill('SIGKILL');
      const ended = await running.ended;
      expect(ended.signal, 'the build was done before it was killed').toBe('SIGKILL');
      await sleep(MOMENT * 1000);
      expect(await traces(home.root), `after kill ${i + 1}`).toEqual([]);
    }
    const built = builtSchema.parse(await home.json(['build', 'debian-12', '--no-gate']));
    expect(built.layers.map((layer) => layer.cached)).toEqual([false]);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
    expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
    const strays = (await readdir(join(home.root, 'cache', 'packages'))).filter((name) => !/^[0-9a-f]{64}$/.test(name));
    expect(strays).toEqual([]);
  });

  test('of the starter of a VM leaves a VM or nothing', async () => {
    for (let i = 0; i < KILLS; i++) {
      const name = `vm-${i}`;
      const running = home.start(['vm', 'create', name, '--image', 'debian-12', '--quiet']);
      await sleep(randomInt(20, 600));
      running.kill('SIGKILL');
      await running.ended;
      // Whatever is there can be taken away by its name, and nothing else is there.
      const removed = await home.ingot(['vm', 'delete', name, '--force']);
      expect([0, 3]).toContain(removed.exitCode);
      await sleep(MOMENT * 1000);
      expect(await traces(join(home.root, 'vms', name)), name).toEqual([]);
    }
    await home.ingot(['vm', 'list']);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
    expect(await readdir(join(home.root, 'vms'))).toEqual([]);
    expect(await traces(home.root)).toEqual([]);
  });

  test('of remove and prune leaves the store whole', async () => {
    for (let i = 0; i < KILLS; i++) {
      await home.json(['image', 'tag', 'debian-12', `copy:${i}`]);
      const running = home.start(i % 2 === 0 ? ['image', 'remove', `copy:${i}`, '--yes'] : ['image', 'prune', '--layers', '--yes']);
      await sleep(randomInt(5, 150));
      running.kill('SIGKILL');
      await running.ended;
      expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
    }
    expect(await home.ingot(['build', 'debian-12', '--no-gate', '--offline'])).toMatchObject({ exitCode: 0 });
  });
});
