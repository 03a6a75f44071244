import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostPath } from '../../base/types.ts';
import { ansibleInventory, groupName, inventorySchema } from './inventory.ts';
import { sshConfigSection } from './ssh-config.ts';

const access = { port: 22_200, user: 'debian', key: hostPath('/home/a b/100%/id_ed25519'), knownHosts: hostPath('/home/vms/web/known_hosts') };

test('the section of an ssh_config has all that ssh needs, and leaves asking to it', () => {
  const lines = sshConfigSection('web', access).split('\n');
  expect(lines[0]).toBe('Host web');
  expect(lines.slice(1, 5)).toEqual(['  HostName 127.0.0.1', '  Port 22200', '  User debian', '  IdentityFile "/home/a b/100%%/id_ed25519"']);
  expect(lines).toContain('  HostKeyAlias web');
  expect(lines).toContain('  UserKnownHostsFile "/home/vms/web/known_hosts"');
  expect(lines.join('\n')).not.toContain('BatchMode');
  expect(lines.at(-1)).toBe('');
});

test('the inventory has each VM once, and names it in its groups', () => {
  const vm = (name: string, reference: string, state: 'running' | 'stopped') => ({ vm: { name, state, image: { reference, digest: 'sha256:0' } }, access });
  const inventory = ansibleInventory([vm('db', 'debian-12:20260101', 'stopped'), vm('web', 'debian-12', 'running')]);
  expect(inventorySchema.parse(inventory)).toEqual(inventory);
  expect(inventory.all.children).toEqual({
    image_debian_12: { hosts: { db: {}, web: {} } },
    state_stopped: { hosts: { db: {} } },
    state_running: { hosts: { web: {} } },
  });
  expect(inventory.all.hosts['web']).toMatchObject({ ansible_host: '127.0.0.1', ansible_port: 22_200, ansible_user: 'debian' });
  expect(inventory.all.hosts['web']?.ansible_ssh_common_args).toContain(`-o 'IdentityFile="/home/a b/100%%/id_ed25519"'`);
});

test('a group has a name that Ansible takes', () => {
  fc.assert(fc.property(fc.string(), (name) => void expect(groupName('image', name)).toMatch(/^image_[A-Za-z0-9_]*$/)));
});
