import { describe, expect, test } from 'vitest';
import { seedContent } from './seed.ts';

const web = { instanceId: 'i-1', hostname: 'web', publicKey: 'ssh-ed25519 AAAA ingot\n' };
const parts = (text = ''): { content: string }[] => JSON.parse(text.replace(/^#cloud-config-archive\n/, ''));

describe('a seed', () => {
  test('of a machine of which nothing is wished: name, key and defaults', () => {
    const seed = seedContent(web);
    expect(seed.userData).toBe('#cloud-config\n{}\n');
    expect(seed.networkConfig).toBeUndefined();
    expect(JSON.parse(seed.metaData)).toEqual({ 'instance-id': 'i-1', 'local-hostname': 'web', 'public-keys': ['ssh-ed25519 AAAA ingot'] });
    expect(seed.vendorData).toBe('#cloud-config\n{"manage_etc_hosts":"localhost"}\n');
  });

  test("more keys stand beside ingot's, each once", () => {
    const { metaData } = seedContent(web, { sshKeys: ['ssh-ed25519 BBBB me', 'ssh-ed25519 AAAA ingot'] });
    expect(JSON.parse(metaData)).toMatchObject({ 'public-keys': ['ssh-ed25519 AAAA ingot', 'ssh-ed25519 BBBB me'] });
  });

  test('a password lets its user in, and need not be changed', () => {
    const { vendorData = '' } = seedContent(web, { passwordHash: '$6$salt$hash' });
    expect(JSON.parse(vendorData.replace('#cloud-config\n', ''))).toEqual({
      manage_etc_hosts: 'localhost',
      ssh_pwauth: true,
      password: '$6$salt$hash',
      chpasswd: { expire: false },
    });
  });

  test('vendor-data of the user comes after that of ingot, which stays', () => {
    const { vendorData } = seedContent(web, { vendorData: '#!/bin/sh\necho\n' });
    expect(parts(vendorData).map(({ content }) => content)).toEqual(['#cloud-config\n{"manage_etc_hosts":"localhost"}\n', '#!/bin/sh\necho\n']);
  });

  test('shares are mounted by a hook that runs at every start', () => {
    const shares = [
      { tag: 'share0', kind: 'virtiofs', host: '/src', guest: '/srv/src', readOnly: false },
      { tag: 'share1', kind: '9p', host: '/doc', guest: '/srv/doc', readOnly: true },
    ] as const;
    const [, hook] = parts(seedContent(web, { shares }).vendorData);
    expect(hook?.content).toMatch(/^#cloud-boothook\n#!\/bin\/sh\n/);
    expect(hook?.content).toContain('\nshare share0 /srv/src virtiofs rw,nofail\n');
    expect(hook?.content).toContain('\nshare share1 /srv/doc 9p ro,nofail,trans=virtio,version=9p2000.L,msize=262144\n');
  });
});
