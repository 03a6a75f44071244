import { randomInt } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';

const KILLS = 10;
const VARIANTS = 6;
/** Seconds: each variant has two layers of its own that take some. */
const LATEST = 5;
const MOMENT = 0.5;

const reason = whyNot();
const builtSchema = z.object({
  images: z.array(z.object({ name: z.string(), status: z.string(), layers: z.array(z.object({ key: z.string(), cached: z.boolean() })) })),
});

describe.skipIf(reason !== undefined)(`kill -9 of a fleet${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let files: string[] = [];

  beforeAll(async () => {
    home = await TestHome.make();
    await home.json(['build', 'debian-12', '--no-gate', '--yes', '--allow-expired-metadata']);
    const folder = join(home.root, 'my-templates');
    await mkdir(folder);
    await writeFile(join(folder, 'shared.yaml'), stringify({ from: 'debian-12', steps: [{ run: 'sleep 2; echo shared >/etc/shared' }] }));
    files = await Promise.all(
      Array.from({ length: VARIANTS }, async (_, i) => {
        const file = join(folder, `variant-${i}.yaml`);
        const steps = [{ run: `sleep 1; dd if=/dev/urandom of=/var/tmp-${i} bs=1M count=30` }, { run: `sleep 1; echo ${i} >/etc/variant` }];
        await writeFile(file, stringify({ extends: 'shared.yaml', steps }));
        return file;
      }),
    );
  });
  afterAll(() => home[Symbol.asyncDispose]());

  const layers = async (): Promise<string[]> => (await readdir(join(home.root, 'store', 'layers'))).toSorted();

  test(`at ${KILLS} random moments loses nothing that was finished and leaves nothing; the rerun finishes`, async () => {
    const finished = new Set<string>();
    for (let i = 0; i < KILLS; i++) {
      const running = home.start(['build', ...files, '--no-gate', '--quiet', '--offline', '--jobs', '4']);
      await sleep(randomInt(300, LATEST * 1000));
      running.kill('SIGKILL');
      await running.ended;
      await sleep(MOMENT * 1000);
      expect(await traces(home.root), `after kill ${i + 1}`).toEqual([]);
      for (const record of await layers()) finished.add(record);
      // Once everything is there, a kill no longer finds work under way.
      if (i === Math.floor(KILLS / 2)) expect((await home.ingot(['image', 'verify'])).exitCode).toBe(0);
    }
    const kept = await layers();
    expect([...finished].filter((record) => !kept.includes(record))).toEqual([]);
    const built = builtSchema.parse(await home.json(['build', ...files, '--no-gate', '--offline', '--jobs', '4']));
    expect(built.images.map(({ status }) => status)).not.toContain('failed');
    expect(built.images).toHaveLength(VARIANTS);
    const cached = built.images.flatMap((image) => image.layers.filter((layer) => layer.cached).map(({ key }) => `${key.slice('sha256:'.length)}.json`));
    expect(
      [...finished].filter((record) => !cached.includes(record)),
      'finished layers that were made again',
    ).toEqual([]);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
    expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
    const jobs = z.array(z.object({ state: z.string() })).parse(z.object({ jobs: z.unknown() }).parse(await home.json(['queue', 'list', '--all'])).jobs);
    expect(jobs.filter(({ state }) => state === 'running')).toEqual([]);
  });
});
