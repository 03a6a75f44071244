import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseName } from '../../base/types.ts';
import { commitSampleLayers, putSampleImage, recordsOf, sampleHome, sampleLayer } from '../../../tests/support/sample-images.ts';
import { installedPackages } from '../../plan/plan.ts';
import { isForeign, type InstalledPackage } from '../../store/model.ts';
import { newRepositories, packageChanges, vmImageConfig } from './config.ts';

const source = { vm: 'web', id: 'a0a0a0a0-0000-4000-8000-000000000000', taken: '2026-01-01T00:00:00.000Z', sealed: true };

test('the image stands on that of the VM, says where it came from, and can be stored', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest']);
  const below = await recordsOf(at.store, image);
  const top = (await commitSampleLayers(at.store, at.home, ['vm web'], below)).at(-1);
  if (top === undefined) throw new Error('no layer was made');
  const name = parseName('my-image', 'an image');
  const changes = { packages: [], removed: ['package-of-debian-12'] };
  const config = vmImageConfig(
    { name, image, reference: 'debian-12', source, size: sampleLayer('').virtualSize, contents: undefined },
    { name: 'vm web', key: top.key, digest: top.digest, ...changes },
  );
  const stored = await at.store.putImage(config, [...below, top], name, ['latest']);
  expect(stored.layers.slice(0, -1)).toEqual(image.layers);
  const details = stored.config['dev.ingot.image'];
  expect(details).toMatchObject({ template: 'my-image', release: 'debian-12', source, from: { reference: 'debian-12', digest: image.digest } });
  expect(details.layers.at(-1)).toMatchObject({ kind: 'vm', removed: ['package-of-debian-12'] });
  // What is built on it is opened where this host's kernel does not mount it.
  expect([isForeign(image.config['dev.ingot.image'].layers), isForeign(details.layers)]).toEqual([false, true]);
  expect((await at.store.verify()).problems).toEqual([]);
});

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const item = fc.record({ name, version: fc.constantFrom('1', '2'), arch: fc.constantFrom('amd64', 'all') });
const system = fc.uniqueArray(item, { selector: (one) => one.name });

test('the packages of the image with what the layer changed are those of the VM', () => {
  fc.assert(
    fc.property(system, system, (before: InstalledPackage[], now: InstalledPackage[]) => {
      const layer = { name: 'below', packages: before, key: sampleLayer('').key };
      const image = { config: { ...EMPTY, 'dev.ingot.image': { ...EMPTY['dev.ingot.image'], layers: [layer] } } };
      const changes = packageChanges(image, now);
      const after = installedPackages([{ packages: before, removed: [] }, changes]);
      const sorted = (list: readonly InstalledPackage[]): InstalledPackage[] => list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      expect(sorted([...after.values()])).toEqual(sorted(now));
      expect(changes.packages.filter((one) => before.some((old) => old.name === one.name && old.version === one.version && old.arch === one.arch))).toEqual([]);
    }),
  );
});

test('only package sources that the image had not are new', () => {
  const image = { config: { ...EMPTY, 'dev.ingot.image': { ...EMPTY['dev.ingot.image'], repositories: ['http://deb.debian.org/debian bookworm'] } } };
  const repositories = ['http://deb.debian.org/debian/', 'https://download.docker.com/linux/debian'];
  expect(newRepositories(image, { repositories })).toEqual(['https://download.docker.com/linux/debian']);
});

const EMPTY = {
  architecture: 'amd64',
  os: 'linux' as const,
  rootfs: { type: 'layers' as const, diff_ids: [] },
  'dev.ingot.image': {
    v: 1 as const,
    template: 'x',
    release: 'debian-12',
    family: 'debian',
    kernel: 'cloud',
    disk: { size: 1, filesystem: 'ext4' },
    defaultUser: 'debian',
    repositories: [],
    expiredMetadata: false,
    layers: [],
  },
};
