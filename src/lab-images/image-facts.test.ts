import { expect, test } from 'vitest';
import { builtInSettings } from '../base/settings.ts';
import { parseName } from '../base/types.ts';
import { commitSampleLayers, putSampleImage, sampleConfig, sampleGate, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { chooseImage } from './choose-image.ts';
import { imageFacts, readRoles } from './image-facts.ts';
import { preferredImages } from './role-images.ts';

const contextOf = (at: SampleHome, more: object = {}) => ({ host: at.host, home: at.home, settings: { ...builtInSettings(at.home), ...more } });

/** An image whose layers, above the base, are of these kinds; a role's name is its layer's. */
async function putImage(at: SampleHome, name: string, kinds: readonly (readonly [kind: string, name: string])[], tags: readonly string[] = ['latest']) {
  const layers = await commitSampleLayers(at.store, at.home, [`base of ${name}`, ...kinds.map(([, layer]) => layer)]);
  const config = sampleConfig(layers, name);
  const details = config['dev.ingot.image'];
  const named = details.layers.map((layer, i) => ({ ...layer, ...(i === 0 ? {} : { kind: kinds[i - 1]?.[0] ?? '' }) }));
  return await at.store.putImage(
    { ...config, architecture: at.host.machine.arch, 'dev.ingot.image': { ...details, layers: named } },
    layers,
    parseName(name, 'an image'),
    tags,
  );
}

test('roles are those of the layers, and an image is seen once, by its latest tag', async () => {
  await using at = await sampleHome();
  const image = await putImage(
    at,
    'box',
    [
      ['repositories', 'repositories'],
      ['role', 'docker'],
    ],
    ['1.0', 'latest'],
  );
  await at.store.addGate(image, sampleGate('passed'));
  await putImage(
    at,
    'site',
    [
      ['role', 'docker'],
      ['run', 'a step'],
    ],
    ['1.0'],
  );
  const { facts } = await imageFacts(contextOf(at), { roles: ['docker'] });
  expect(facts.images).toMatchObject([
    { reference: 'box', release: 'debian-12', roles: ['docker'], more: [], gate: 'passed' },
    { reference: 'site:1.0', roles: ['docker'], more: ['run'], gate: 'not-run' },
  ]);
  expect(facts.releases).toContain('debian-13');
  expect(chooseImage({ roles: ['docker'] }, facts)).toMatchObject({ action: 'use', image: 'box' });
});

test('an image that is named and there is the only one looked at; one that is not there brings what the store says', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest']);
  const named = await imageFacts(contextOf(at), { roles: [], image: `debian-12@${image.digest}` });
  expect(named.facts).toMatchObject({ images: [{ reference: `debian-12@${image.digest}` }], releases: [] });
  const unknown = await imageFacts(contextOf(at), { roles: [], image: 'debain-12' });
  expect(unknown.unknown?.hint).toContain('Did you mean debian-12');
});

test('a damaged image is no obstacle to others', async () => {
  await using at = await sampleHome();
  const image = await putImage(at, 'box', [['role', 'docker']]);
  await at.host.files.remove(at.home.blob(image.layers[0]?.digest ?? image.digest));
  const { facts } = await imageFacts(contextOf(at), { roles: ['docker'] });
  expect(facts.images).toMatchObject([{ reference: 'box', damaged: expect.stringContaining('this layer is missing') }]);
});

test('roles are ordered as a build stacks them, each once', async () => {
  await using at = await sampleHome();
  expect(await readRoles(contextOf(at), ['redis', 'docker', 'redis'])).toEqual({ roles: ['redis', 'docker'], rolePaths: {} });
  await expect(readRoles(contextOf(at), ['dokcer'])).rejects.toMatchObject({ code: 'role-unknown', hint: 'Did you mean docker?' });
});

test('the setting maps roles to images', () => {
  expect(preferredImages('docker=mine, redis = cache:1.2')).toEqual({ docker: 'mine', redis: 'cache:1.2' });
  expect(preferredImages(undefined)).toEqual({});
});
