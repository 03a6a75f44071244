import { expect, test } from 'vitest';
import { labSeed } from './lab-seed.ts';
import { seedContent } from './seed.ts';
import { withIdentity } from './seed-identity.ts';

const network = { mac: '52:54:00:00:00:02', address: '10.77.0.11', prefix: 24, group: '239.255.1.2', port: 20_000 };
const plain = seedContent({ instanceId: 'one', hostname: 'db', publicKey: 'ssh-ed25519 AAAA ingot' });
const seed = labSeed(plain, { mac: '52:54:00:00:00:01', network, hosts: '10.77.0.11 db db.shop\n' });

test('a member is told the address of its card, found by its MAC, and the names of the lab', () => {
  expect(JSON.parse(seed.networkConfig ?? '')).toEqual({
    version: 2,
    ethernets: {
      eth0: { match: { macaddress: '52:54:00:00:00:01' }, 'set-name': 'eth0', dhcp4: true },
      lab0: { match: { macaddress: '52:54:00:00:00:02' }, 'set-name': 'lab0', addresses: ['10.77.0.11/24'], optional: true },
    },
  });
  expect(seed.vendorData).toMatch(/^#cloud-config\n/);
  expect(JSON.parse((seed.vendorData ?? '').replace('#cloud-config\n', ''))).toEqual({
    manage_etc_hosts: false,
    write_files: [{ path: '/etc/hosts', append: true, content: '10.77.0.11 db db.shop\n' }],
  });
});

test('a clone of it has none of that, and a renamed one all', () => {
  const clone = withIdentity(seed, { hostname: 'copy', instanceId: 'two', ownNetwork: true });
  expect(clone.networkConfig).toBeUndefined();
  expect(clone.vendorData).not.toContain('db.shop');
  expect(clone.vendorData).toContain('"manage_etc_hosts":"localhost"');
  const renamed = withIdentity(seed, { hostname: 'other' });
  expect(renamed.networkConfig).toBe(seed.networkConfig);
  expect(renamed.vendorData).toContain('db.shop');
});
