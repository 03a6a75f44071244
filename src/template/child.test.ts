import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHILD_PLATFORMS, childNamed, childOverrides, childPlatform, childText } from './child.ts';
import { findTemplate } from './find.ts';
import { sampleLab, type SampleLab } from '../../tests/support/lab.ts';

let lab: SampleLab;
beforeEach(async () => void (lab = await sampleLab()));
afterEach(() => lab[Symbol.asyncDispose]());

const NONE = { roles: [], packages: [] };

test('a child is named by its parent and its platform, whatever the parent is called', () => {
  expect(childNamed('web:1.4-xen')).toEqual({ parent: 'web:1.4', platform: 'xen' });
  expect(['debian-12', 'vmware', '-xen', 'web-vmware:latest', 'web.yaml'].map(childNamed)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9.:@-]{1,40}$/), fc.constantFrom(...CHILD_PLATFORMS), (parent, platform) => {
      expect(childNamed(childText({ parent, platform }))).toEqual({ parent, platform });
    }),
  );
});

test('which hypervisor takes a child, by the names that CloudStack has for them', () => {
  expect(['KVM', 'Simulator', 'VMware', 'XenServer', 'xen'].map(childPlatform)).toEqual([undefined, undefined, 'vmware', 'xen', 'xen']);
  expect(() => childPlatform('Ovm3')).toThrowError(expect.objectContaining({ code: 'hypervisor-unknown' }));
});

test('a child starts from the very image that its parent is now, with the generic kernel and the role of its platform', async () => {
  const child = { parent: 'debian-12', platform: 'vmware' } as const;
  expect(await findTemplate(lab.context(), 'debian-12-vmware')).toEqual({ kind: 'child', ...child });
  expect(await childOverrides(lab.context(), child, { ...NONE, roles: ['docker'] })).toEqual({
    name: 'debian-12-vmware',
    from: `debian-12@${lab.image.digest}`,
    roles: ['vmware', 'docker'],
    packages: [],
    kernel: 'generic',
  });
  // On KVM the kernel of its parent does.
  expect(await childOverrides(lab.context(), { ...child, platform: 'cks' }, NONE)).toMatchObject({ name: 'debian-12-cks', roles: ['cloudstack', 'cks'] });
  expect(await childOverrides(lab.context(), { ...child, platform: 'cloudstack' }, NONE)).toEqual({
    name: 'debian-12-cloudstack',
    from: `debian-12@${lab.image.digest}`,
    roles: ['cloudstack'],
    packages: [],
  });
  expect(await childOverrides(lab.context(), child, { ...NONE, name: 'mine', kernel: 'cloud' })).toMatchObject({ name: 'mine', kernel: 'cloud' });
});

test('what stands on nothing that is known is no child, and a parent that is not built is told', async () => {
  await expect(findTemplate(lab.context(), 'nothing-xen')).rejects.toHaveProperty('code', 'template-unknown');
  const child = await findTemplate(lab.context(), 'debian-13-xen');
  expect(child).toEqual({ kind: 'child', parent: 'debian-13', platform: 'xen' });
  await expect(childOverrides(lab.context(), { parent: 'debian-13', platform: 'xen' }, NONE)).rejects.toHaveProperty('code', 'parent-missing');
});
