import { expect, test } from 'vitest';
import { findRelease } from '../../catalog/catalog.ts';
import { readCatalogFolder } from '../../catalog/folder.ts';
import { otherKernel } from './kernel.ts';
import { installation } from './layers.ts';

const release = findRelease(await readCatalogFolder(), 'debian-12');
const CLOUD = ['linux-image-cloud-amd64', 'linux-image-6.1.0-50-cloud-amd64', 'linux-image-6.1.0-49-cloud-amd64'];

test('the generic kernel takes the place of every cloud kernel, with its whole initramfs', () => {
  const changes = otherKernel(release, { arch: 'amd64', to: 'generic', installed: ['linux-base', 'grub-common', ...CLOUD] });
  expect(changes.packages).toEqual(['linux-image-amd64', ...CLOUD.toSorted().map((name) => `${name}-`)]);
  expect(changes.filesBefore?.map(({ path, content }) => [path, content])).toEqual([['/etc/initramfs-tools/conf.d/ingot', 'MODULES=most\n']]);
  expect(changes.commands.map(({ argv }) => argv)).toEqual([['rm', '-f', '/boot/initrd.img-6.1.0-50-cloud-amd64', '/boot/initrd.img-6.1.0-49-cloud-amd64']]);
});

test('and the cloud kernel that of the generic one', () => {
  const installed = ['linux-image-arm64', 'linux-image-6.1.0-50-arm64', 'linux-headers-6.1.0-50-arm64'];
  const { packages, filesBefore } = otherKernel(release, { arch: 'arm64', to: 'cloud', installed });
  expect(packages).toEqual(['linux-image-cloud-arm64', 'linux-image-6.1.0-50-arm64-', 'linux-image-arm64-']);
  expect(filesBefore).toEqual([]);
});

test('a kernel goes without being asked whether it is the one that runs', () => {
  const programs = (remove: readonly string[]) => installation(release, [], remove).deferred.map(({ program }) => program);
  expect(programs(['linux-image-6.1.0-50-cloud-amd64'])).toContain('/usr/bin/linux-check-removal');
  expect(programs(['linux-image-cloud-amd64', 'nano'])).not.toContain('/usr/bin/linux-check-removal');
});
