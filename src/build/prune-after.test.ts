import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { settingsSchema } from '../base/settings-schema.ts';
import { freezeDisks } from '../platforms/local/frozen.ts';
import { createVm } from '../platforms/local/create.ts';
import { pruneAfterBuild } from './prune-after.ts';

async function left(lab: SampleLab): Promise<string[]> {
  return (await lab.home.store.list({ untagged: true })).map(({ name, tag }) => `${name}:${tag}`);
}

test('after a build that was done, images go that nothing names or uses, and one line says so', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  await putSampleImage(lab.home.store, lab.home.home, 'debian-12', ['latest']);
  const orphan = await putSampleImage(lab.home.store, lab.home.home, 'shop', ['latest']);
  await putSampleImage(lab.home.store, lab.home.home, 'shop', ['latest']);
  const all = ['debian-12:', 'debian-12:latest', 'shop:', 'shop:latest'];
  expect(await left(lab)).toEqual(all);
  const context = (setting: 'never' | 'after-build') => ({ ...lab.context(), settings: settingsSchema.parse({ 'image-prune': setting }) });

  await pruneAfterBuild(context('never'), [{ status: 'built' }]);
  await pruneAfterBuild(context('after-build'), [{ status: 'cached' }]);
  await pruneAfterBuild(context('after-build'), [{ status: 'built' }, { status: 'failed' }]);
  expect(await left(lab)).toEqual(all);
  expect(lab.messages.filter((text) => text.includes('Removed'))).toEqual([]);

  await pruneAfterBuild(context('after-build'), [{ status: 'built' }, { status: 'cached' }]);
  expect(await left(lab)).toEqual(['debian-12:', 'debian-12:latest', 'shop:latest']);
  expect(lab.messages.at(-1)).toMatch(new RegExp(`^Removed shop@${orphan.digest.slice(0, 19)}: .* freed \\(setting image-prune\\)$`));
  const said = lab.messages.length;
  await pruneAfterBuild(context('after-build'), [{ status: 'built' }]);
  expect(lab.messages).toHaveLength(said);
});

test('where it cannot be known what VMs use, nothing goes', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  await putSampleImage(lab.home.store, lab.home.home, 'debian-12', ['latest']);
  await writeFile(join(lab.home.home.vms, 'web', 'vm.json'), '{}');
  await pruneAfterBuild({ ...lab.context(), settings: settingsSchema.parse({ 'image-prune': 'after-build' }) }, [{ status: 'built' }]);
  expect(await left(lab)).toEqual(['debian-12:', 'debian-12:latest']);
  expect(lab.messages.at(-1)).toMatch(/^Nothing was pruned after the build: .*vm\.json is damaged$/);
});

test('what a disk of a VM stands on stays, even where the index and the manifest of its image are lost', async () => {
  await using lab = await sampleLab();
  const { host, home, store } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  await freezeDisks(lab.context(), vm, (record) => record);
  await host.files.remove(home.blob(vm.image.digest));
  await writeFile(join(home.store, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  const { files } = await store.prune(new Map([[vm.image.digest, ['web']]]), { layers: true });
  expect(files.length).toBeGreaterThan(0);
  for (const digest of vm.image.layers) expect(await host.files.status(home.blob(digest))).toBeDefined();
});
