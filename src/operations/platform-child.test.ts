import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseName } from '../base/types.ts';
import type { Image } from '../store/model.ts';
import { sampleConfig, sampleLayer, sampleLayerFile } from '../../tests/support/sample-images.ts';
import { sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import type { Context } from './operation.ts';
import { childrenOf, imageForHypervisor } from './platform-child.ts';

let lab: SampleLab;
const context = (): Context => ({ ...lab.context(), ...UNATTENDED });
beforeEach(async () => void (lab = await sampleLab()));
afterEach(() => lab[Symbol.asyncDispose]());

/** A child of an image, as a build of it would have left it. */
async function putChild(parent: Image, role: string): Promise<Image> {
  const { store, home } = lab.home;
  const layer = await store.commitLayer(await sampleLayerFile(home), sampleLayer(role));
  const config = sampleConfig([layer]);
  const details = config['dev.ingot.image'];
  details.from = { reference: `debian-12@${parent.digest}`, digest: parent.digest };
  details.layers = details.layers.map((one) => ({ ...one, name: role, kind: 'role' }));
  return await store.putImage(config, [layer], parseName(`debian-12-${role}`, 'an image'), ['latest']);
}

test('KVM takes the image itself', async () => {
  expect(await imageForHypervisor(context(), 'debian-12', 'KVM', { build: false })).toBe(`debian-12@${lab.image.digest}`);
});

test('VMware takes the child that stands on this very image, and no other', async () => {
  const take = (): Promise<string> => imageForHypervisor(context(), 'debian-12', 'VMware', { build: false });
  await expect(take()).rejects.toHaveProperty('code', 'child-not-built');
  const child = await putChild(lab.image, 'vmware');
  expect(await take()).toBe(`debian-12-vmware@${child.digest}`);
  await expect(imageForHypervisor(context(), 'debian-12', 'XenServer', { build: false })).rejects.toHaveProperty('code', 'child-not-built');
});

test('what was built on another image of that name is not taken', async () => {
  await putChild({ ...lab.image, digest: lab.image.id }, 'vmware');
  await expect(imageForHypervisor(context(), 'debian-12', 'VMware', { build: false })).rejects.toHaveProperty('code', 'child-not-built');
});

test('publishing is told of the child that is to be built, and of the one that is there', async () => {
  const find = childrenOf(context(), `debian-12@${lab.image.digest}`);
  expect(await find('kvm', { build: false })).toBeUndefined();
  expect(await find('xen', { build: false })).toEqual({ name: 'debian-12-xen', digest: undefined });
  const child = await putChild(lab.image, 'vmware');
  expect(await find('vmware', { build: true })).toEqual({ name: 'debian-12-vmware', digest: child.digest });
});
