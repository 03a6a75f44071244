import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostPath } from '../../../src/base/types.ts';
import { has, startDockerRegistry, type DockerRegistry } from '../../support/docker-registry.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Real layers by way of a registry on this machine: a cache of layers that two homes share, two processes that pull the same image, and a disk that is full
 * meanwhile. INGOT_TEST_HOME names a home with debian-12, and is kept.
 */

/** What was made before is not brought into the cache: the step is another one each time. */
const STEP = `echo ${Date.now()} >/etc/made`;
const TEMPLATE = `name: cached\nfrom: debian-12\npackages: [nano]\nsteps:\n  - run: ${STEP}\n`;
const reason = whyNot() ?? (has('docker-registry', '--version') ? undefined : 'there is no docker-registry');
const builtSchema = z.object({
  images: z.array(z.object({ digest: z.string(), status: z.string(), layers: z.array(z.object({ name: z.string(), cached: z.boolean() })) })).length(1),
});

describe.skipIf(reason !== undefined)(`real images in a registry${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;
  let registry: DockerRegistry;

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    folder = await mkdtemp('/var/tmp/ingot-remotes-');
    registry = await startDockerRegistry({ secure: false });
    await writeFile(join(folder, 'cached.yaml'), TEMPLATE);
  });

  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  const homeIn = async (path: string): Promise<TestHome> => {
    await mkdir(path, { recursive: true });
    return TestHome.kept(hostPath(path));
  };
  const address = (): string => `oci://${registry.server}/team/cached`;

  test('a home takes the layers that another has made from the cache, and has the same image', async () => {
    const INGOT_CACHE = `oci://${registry.server}/layers`;
    const build = async (at: TestHome, env: Readonly<Record<string, string>>) =>
      builtSchema.parse(await at.json(['build', join(folder, 'cached.yaml'), '--no-gate', '--yes'], { INGOT_CACHE, ...env })).images[0];
    const made = await build(home, { INGOT_CACHE_PUSH: 'yes' });
    const key = (await home.ingot(['key', 'show'])).stdout.trim();
    const other = await homeIn(join(folder, 'other'));
    expect(await build(other, { INGOT_TRUSTED_KEYS: key })).toMatchObject({
      digest: made?.digest,
      layers: ['bootstrap', 'packages', STEP].map((name) => ({ name, cached: true })),
    });
    await home.json(['image', 'push', 'cached', address(), '--plain-http']);
  });

  test('two processes pull the same image into one home at the same time', async () => {
    const there = await homeIn(join(folder, 'there'));
    const pull = (): ReturnType<TestHome['ingot']> => there.ingot(['image', 'pull', address(), '--plain-http', '--json']);
    const ended = await Promise.all([pull(), pull()]);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(await there.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(
    `a disk that is full takes nothing half, and the same command goes on when there is room${root ? '' : ' (skipped: not root)'}`,
    async () => {
      const disk = join(folder, 'disk');
      await mkdir(disk);
      const mount = (...options: string[]): void => void expect(spawnSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', disk]).status).toBe(0);
      mount('size=100M');
      try {
        const small = await homeIn(join(disk, 'home'));
        const pull = (): ReturnType<TestHome['ingot']> => small.ingot(['image', 'pull', address(), '--plain-http']);
        expect(await pull()).toMatchObject({ exitCode: 8, stderr: expect.stringContaining('store-full') });
        expect(await small.json(['image', 'list'])).toMatchObject({ images: [] });
        mount('remount', 'size=600M');
        expect(await pull()).toMatchObject({ exitCode: 0 });
        expect(await small.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
      } finally {
        spawnSync('umount', [disk]);
      }
    },
  );
});
