import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layerPaths, openStore } from '../../../src/store/store.ts';
import { CloudLab, whyNoCloudImages } from '../cloud-lab.ts';
import { traces } from '../support.ts';

/* A disk of ingot's own is the cloud image of a release, on a mirror that signs its checksums: the way that tests/system/full/cloud-image.test.ts goes with many. */

const builtSchema = z
  .object({ images: z.tuple([z.object({ layers: z.array(z.object({ name: z.string(), cached: z.boolean() })) })]) })
  .transform(({ images: [image] }) => image.layers.map(({ name, cached }) => `${name}${cached ? ' (cached)' : ''}`));

const reason = await whyNoCloudImages();

describe.skipIf(reason !== undefined)(`a cloud image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let lab: CloudLab;
  let file = '';
  const build = async (...more: string[]): Promise<string[]> => builtSchema.parse(await lab.home.json(['build', file, '--no-gate', '--yes', ...more]));

  beforeAll(async () => {
    lab = await CloudLab.make([]);
    await lab.home.json(['build', 'debian-12', '--no-gate', '--yes']);
    const { host, home } = await lab.home.context();
    const [disk = ''] = layerPaths(home, await openStore(host, home).resolve('debian-12'));
    await copyFile(disk, join(lab.mirror.folder, 'disk.qcow2'));
    await lab.add('disk.qcow2', 'debian-cloud');
    await lab.publish();
    file = await lab.template('web', 'from: debian-cloud\ndisk: { size: 5GiB }\nsteps:\n  - run: \'[ "$(df --output=size -k / | tail -n 1)" -gt 4500000 ]\'\n');
  });
  afterAll(async () => {
    expect(await traces(lab.home.root)).toEqual([]);
    expect(await readdir(join(lab.home.root, 'run'))).toEqual([]);
    await lab[Symbol.asyncDispose]();
  });

  test('is downloaded, proved, taken in, grown and customised', async () => {
    const layers = await build();
    expect(layers).toHaveLength(2);
    expect(layers.filter((layer) => layer.endsWith('(cached)'))).toEqual([]);
    expect(lab.mirror.asked.map((path) => path.slice(1))).toEqual(expect.arrayContaining(['SHA256SUMS', 'SHA256SUMS.gpg', 'disk.qcow2']));
  });

  test('is not downloaded nor made again, and offline nobody is asked', async () => {
    lab.mirror.asked.length = 0;
    expect((await build()).filter((layer) => !layer.endsWith('(cached)'))).toEqual([]);
    expect(lab.mirror.asked).not.toContain('/disk.qcow2');
    lab.mirror.asked.length = 0;
    await build('--offline');
    expect(lab.mirror.asked).toEqual([]);
  });

  test('is refused where its list is not what was signed', async () => {
    await lab.mirror.publish({ change: (text) => text.replace(/^[0-9a-f]{8}/gm, 'deadbeef') });
    const { exitCode, stderr } = await lab.home.ingot(['build', file, '--no-gate']);
    expect(stderr).toContain('signature-wrong');
    expect(exitCode).toBe(7);
  });
});
