import { describe, expect, test } from 'vitest';
import { hostProcesses } from '../../src/base/process.ts';
import type { RoleContent } from '../../src/roles/role.ts';
import { catalogRole, contentOf, type TestFamily } from '../support/role-content.ts';

const NAMES = ['webserver', 'database-postgresql', 'database-mariadb', 'redis', 'ansible', 'terraform', 'development'] as const;
const families = ['debian', 'rhel', 'suse', 'arch', 'alpine'] as const satisfies readonly TestFamily[];

const textOf = ({ files }: RoleContent, path: string): string | undefined => files.find((file) => file.path === path)?.content;
const enabled = ({ services }: RoleContent): string[] => services.filter(({ state }) => state === 'enabled').map(({ name }) => name);

test.each(NAMES)('%s means something in every family, whatever its parameters are', async (name) => {
  const role = await catalogRole(name);
  for (const family of families) {
    expect((await contentOf(role, family)).packages, family).not.toEqual([]);
    for (const [parameter, { type, values = type === 'boolean' ? [true, false] : [] }] of Object.entries(role.head.parameters)) {
      for (const value of values) await contentOf(role, family, { [parameter]: type === 'list' ? [value] : value });
    }
  }
});

test('what runs at the first boot is a right program', async () => {
  for (const name of NAMES) {
    const { files } = await contentOf(await catalogRole(name), 'debian', name === 'webserver' ? { tls: 'self-signed' } : {});
    for (const { path, content } of files.filter((file) => file.path.startsWith('/usr/local/sbin/'))) {
      const check = content.startsWith('#!/bin/sh') ? (['sh', '-n'] as const) : (['python3', '-c', 'import ast, sys; ast.parse(sys.stdin.read())'] as const);
      expect((await hostProcesses.run(check, { stdin: content })).exitCode, path).toBe(0);
    }
  }
});

describe('webserver', () => {
  test.each(families)('every server has its site, and with TLS a certificate of each machine, on %s', async (family) => {
    const role = await catalogRole('webserver');
    for (const [server, site] of [
      ['nginx', '/etc/webserver/nginx.conf'],
      ['apache', '/etc/webserver/apache.conf'],
      ['caddy', '/etc/caddy/Caddyfile'],
    ] as const) {
      const plain = await contentOf(role, family, { server, root: '/srv/site' });
      expect(textOf(plain, site)).toBeDefined();
      expect(textOf(plain, '/srv/site/index.html')).toContain('/srv/site');
      expect(plain.ports).toEqual(['80/tcp']);
      const { files, ports } = await contentOf(role, family, { server, tls: 'self-signed' });
      expect(ports).toEqual(['80/tcp', '443/tcp']);
      expect(files.filter(({ content }) => content.includes('PRIVATE KEY'))).toEqual([]);
      expect(files.map(({ path }) => path)).toContain(
        family === 'alpine' ? '/etc/local.d/webserver-certificate.start' : '/etc/systemd/system/webserver-certificate.service',
      );
    }
  });
});

describe('database-postgresql', () => {
  test('the settings of the machine hold what was asked for', async () => {
    const role = await catalogRole('database-postgresql');
    const asked = { databases: ['shop', 'crm:sales'], networks: ['192.0.2.0/24'], listen: '*', port: 5433, tls: 'required' };
    for (const family of families) {
      const content = await contentOf(role, family, asked);
      expect(JSON.parse(textOf(content, '/etc/postgresql-machine.json') ?? '')).toMatchObject({
        ...asked,
        passwords: 'generated',
        checksums: true,
        memory: 25,
      });
      expect(content.ports).toEqual(['5433/tcp']);
    }
    expect((await contentOf(role, 'debian')).ports).toEqual([]);
  });

  test.each([{ databases: ["x'; DROP TABLE y"] }, { networks: ['all'] }, { listen: "*' x" }, { databases: ['a:b:c'] }])('refuses %o', async (parameters) => {
    await expect(contentOf(await catalogRole('database-postgresql'), 'debian', parameters)).rejects.toThrow(/does not match/);
  });

  test('upstream packages carry their version', async () => {
    const { packages, repositories } = await contentOf(await catalogRole('database-postgresql'), 'debian', { source: 'upstream', version: '17' });
    expect(packages).toContain('postgresql-17');
    expect(repositories.map(({ name }) => name)).toEqual(['pgdg']);
  });
});

test('a user of MariaDB cannot break out of its statement', async () => {
  const role = await catalogRole('database-mariadb');
  for (const parameters of [{ databases: ['x`; DROP'] }, { hosts: ["%'"] }, { hosts: ['`'] }])
    await expect(contentOf(role, 'debian', parameters)).rejects.toThrow(/does not match/);
});

test('Redis reads a password only where the machine makes one', async () => {
  const role = await catalogRole('redis');
  const asks = (content: RoleContent): boolean => content.run.some(({ script }) => script.includes('password.conf'));
  const generated = await contentOf(role, 'debian');
  expect(asks(generated)).toBe(true);
  expect(enabled(generated)).toEqual(['redis-password', 'redis-server']);
  const none = await contentOf(role, 'debian', { password: 'none', server: 'valkey' });
  expect(asks(none)).toBe(false);
  expect(enabled(none)).toEqual(['valkey-server']);
  expect(textOf(none, '/etc/redis-role/role.conf')).toContain('protected-mode yes');
});

test('OpenTofu comes from the distribution where it has it, else by checksum', async () => {
  const role = await catalogRole('terraform');
  expect((await contentOf(role, 'suse', { flavour: 'opentofu' })).packages).toContain('opentofu');
  const { downloads } = await contentOf(role, 'debian', { flavour: 'opentofu', 'opentofu-version': '1.2.3', 'opentofu-sha256': 'a'.repeat(64) });
  expect(downloads).toMatchObject([{ url: expect.stringContaining('/v1.2.3/tofu_1.2.3_linux_amd64.tar.gz'), sha256: 'a'.repeat(64), unpack: true }]);
});
