import { expect, test } from 'vitest';
import { digestOf } from '../store/writing.ts';
import { putSampleImage, recordsOf, sampleConfig, sampleHome, sampleLayer } from '../../tests/support/sample-images.ts';
import type { ImageDetails, InstalledPackage } from '../store/model.ts';
import { compareConfigs, compareLayers, comparePackages, installedPackages } from './images.ts';

function packages(...texts: string[]): InstalledPackage[] {
  return texts.map((text) => {
    const [name = '', version = '', arch = 'amd64'] = text.split(' ');
    return { name, version, arch };
  });
}

function layersOf(...layers: readonly { packages: InstalledPackage[]; removed?: string[] }[]): Pick<ImageDetails, 'layers'> {
  return { layers: layers.map((layer, i) => ({ name: `layer ${i}`, key: sampleLayer(`${i}`).key, ...layer })) };
}

test('a layer adds, upgrades and takes away packages of those below', () => {
  const details = layersOf({ packages: packages('a 1', 'b 1', 'c 1') }, { packages: packages('b 2', 'd 1'), removed: ['a'] }, { packages: packages('a 3') });
  expect(installedPackages(details).map(({ name, version }) => `${name} ${version}`)).toEqual(['a 3', 'b 2', 'c 1', 'd 1']);
});

test('packages are compared by name and architecture', () => {
  const before = layersOf({ packages: packages('a 1', 'b 1', 'c 1', 'libc 1 i386') });
  const after = layersOf({ packages: packages('a 1', 'b 2', 'd 1', 'libc 1 i386', 'libc 1 amd64') });
  expect(comparePackages(before, after)).toEqual([
    { name: 'b', arch: 'amd64', before: '1', after: '2' },
    { name: 'c', arch: 'amd64', before: '1' },
    { name: 'd', arch: 'amd64', after: '1' },
    { name: 'libc', arch: 'amd64', after: '1' },
  ]);
});

test('layers are told apart by key, and one that was made twice is named', async () => {
  await using at = await sampleHome();
  const base = await putSampleImage(at.store, at.home, 'base', ['latest'], ['bootstrap']);
  const below = await recordsOf(at.store, base);
  const one = await putSampleImage(at.store, at.home, 'one', ['latest'], ['role', 'a'], below);
  const two = await putSampleImage(at.store, at.home, 'two', ['latest'], ['role', 'b'], below);
  expect(compareLayers(one, two).map((layer) => [layer.name, layer.in, layer.madeAnew])).toEqual([
    ['bootstrap', 'both', false],
    ['role', 'both', true],
    ['a', 'before', false],
    ['b', 'after', false],
  ]);
});

test('configs differ by where a value stands, lists by their elements', () => {
  const before = sampleConfig([]);
  const details = before['dev.ingot.image'];
  const after = {
    ...before,
    architecture: 'arm64',
    config: { Labels: { purpose: 'other', team: 'web' } },
    'dev.ingot.image': {
      ...details,
      disk: { ...details.disk, size: 2 * details.disk.size },
      repositories: ['deb x', 'deb y'],
      from: { reference: 'web:1.4', digest: digestOf('x') },
    },
  };
  expect(compareConfigs(before, before)).toEqual([]);
  expect(compareConfigs(before, after)).toEqual([
    { path: 'architecture', before: 'amd64', after: 'arm64' },
    { path: 'disk.size', before: '1048576', after: '2097152' },
    { path: 'from.digest', after: digestOf('x') },
    { path: 'from.reference', after: 'web:1.4' },
    { path: 'labels.purpose', before: 'sample', after: 'other' },
    { path: 'labels.team', after: 'web' },
    { path: 'repositories', after: 'deb x' },
    { path: 'repositories', after: 'deb y' },
  ]);
});
