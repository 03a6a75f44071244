import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Image } from '../../../src/store/model.ts';
import { openStore } from '../../../src/store/store.ts';
import { imageWith } from '../images.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const diffSchema = z.object({
  layers: z.array(z.object({ name: z.string(), in: z.string() })),
  files: z.array(z.object({ path: z.string(), change: z.string(), aspects: z.array(z.string()) })),
  folders: z.array(z.object({ folder: z.string(), before: z.number(), after: z.number() })),
});

const reason = whyNot();

/* A chain of real disks, base -> web -> shop, looked at, moved to another home, damaged and mended. */
describe.skipIf(reason !== undefined)(`a store of chains${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let shop: Image;

  beforeAll(async () => {
    home = await TestHome.make();
    await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    const context = await home.context();
    const base = await openStore(context.host, context.home).resolve('debian-12');
    const web = await imageWith(
      context,
      base,
      'web',
      'mkdir /srv/www; head -c 1000000 /dev/zero >/srv/www/data; chmod 600 /etc/hostname; rm /etc/motd; ln -s /x /srv/link',
    );
    shop = await imageWith(context, web, 'shop', 'cp -p /srv/www/data /srv/copy; printf x | dd of=/srv/www/data conv=notrunc; chown 33:33 /srv/www');
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('image diff --files names every change and no other', async () => {
    const first = diffSchema.parse(await home.json(['image', 'diff', 'debian-12', 'web', '--files']));
    expect(first.files.map(({ change, path, aspects }) => [change, path, ...aspects].join(' '))).toEqual([
      'changed /etc/hostname mode',
      'removed /etc/motd',
      'added /srv/link',
      'added /srv/www',
      'added /srv/www/data',
    ]);
    expect(first.folders[0]).toEqual({ folder: '/srv/www', before: 0, after: 1_000_000 });
    const second = diffSchema.parse(await home.json(['image', 'diff', 'web', 'shop', '--files']));
    expect(second.layers.map((layer) => `${layer.in} ${layer.name}`)).toEqual(['both bootstrap', 'both web', 'after shop']);
    // Content changed at the same size is found by reading.
    expect(second.files.map(({ change, path, aspects }) => [change, path, ...aspects].join(' '))).toEqual([
      'added /srv/copy',
      'changed /srv/www owner',
      'changed /srv/www/data content',
    ]);
    expect(diffSchema.parse(await home.json(['image', 'diff', 'shop', 'web', '--files'])).files.map(({ change }) => change)).toEqual([
      'removed',
      'changed',
      'changed',
    ]);
  });

  test('image save and load bring the chain to another home', async () => {
    await using there = await TestHome.make();
    const archive = join(home.root, 'shop.tar');
    await home.json(['image', 'save', 'shop', '--out', archive]);
    expect(await there.json(['image', 'load', archive])).toMatchObject({ cached: 3, images: [{ references: ['shop:latest'], digest: shop.digest }] });
    expect(await there.json(['image', 'verify'])).toMatchObject({ images: 1, problems: [] });
  });

  test('image load takes what skopeo copied of an archive', async ({ skip }) => {
    const context = await home.context();
    const skopeo = await context.host.processes.run(['skopeo', '--version']).catch(() => undefined);
    if (skopeo === undefined) return skip('skopeo is not installed');
    const [archive, copied] = [join(home.root, 'for-skopeo.tar'), join(home.root, 'copied.tar')];
    await home.json(['image', 'save', 'shop', '--out', archive]);
    const names = [`oci-archive:${archive}:shop:latest`, `oci-archive:${copied}:moved:v1`];
    await context.host.processes.run(['skopeo', '--tmpdir', home.root, '--insecure-policy', 'copy', ...names]);
    await using there = await TestHome.make();
    expect(await there.json(['image', 'load', copied])).toMatchObject({ cached: 0, images: [{ references: ['moved:v1'], digest: shop.digest }] });
    expect(await there.json(['image', 'verify'])).toMatchObject({ problems: [] });
  });

  test('a layer cut off in the middle of the chain spoils what stands on it, is named, and is mended from an archive', async () => {
    const archive = join(home.root, 'mend.tar');
    await home.json(['image', 'save', 'shop', '--out', archive]);
    const context = await home.context();
    const blob = context.home.blob(shop.layers[1]!.digest);
    await context.host.files.setMode(blob, 0o644);
    await truncate(blob, 100_000);
    const { exitCode, stdout } = await home.ingot(['image', 'verify']);
    expect([exitCode, stdout]).toEqual([7, expect.stringMatching(/has 100000 bytes instead of[^]*spoils .*shop:latest/)]);
    expect(await home.json(['image', 'verify', 'debian-12'])).toMatchObject({ problems: [] });
    expect((await home.ingot(['image', 'diff', 'web', 'shop'])).exitCode).toBe(7);
    expect(await home.json(['image', 'load', archive])).toMatchObject({ copied: 1 });
    expect(await home.json(['image', 'verify'])).toMatchObject({ problems: [] });
    await rm(archive);
  });
});
