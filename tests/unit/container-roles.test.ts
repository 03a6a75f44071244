import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { hostFiles } from '../../src/base/files.ts';
import { hostProcesses } from '../../src/base/process.ts';
import { hostPath } from '../../src/base/types.ts';
import { roleContent } from '../../src/roles/content.ts';
import { readRoleFolder } from '../../src/roles/folder.ts';
import { loadRole } from '../../src/roles/load.ts';
import { parameterValues } from '../../src/roles/parameters.ts';
import type { RoleContent } from '../../src/roles/role.ts';

const ROLES = fileURLToPath(new URL('../../catalog/roles/', import.meta.url));
const FAMILIES: Readonly<Record<string, string>> = {
  debian: 'debian',
  ubuntu: 'debian',
  rocky: 'rhel',
  amazonlinux: 'rhel',
  opensuse: 'suse',
  arch: 'arch',
  alpine: 'alpine',
};

/** What a role of the catalog does to images of a release, under the names of packages that the role uses. */
async function content(name: string, release: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<RoleContent> {
  const role = loadRole(await readRoleFolder(hostFiles, hostPath(join(ROLES, name))));
  const { values, faults } = parameterValues(role.head, parameters);
  expect(faults).toEqual([]);
  const distribution = release.replace(/-.*/, '');
  return await roleContent(role, { family: FAMILIES[distribution] ?? '', release, distribution, arch: 'amd64' }, values, {
    native: (each) => ({ name: each }),
    repository: (each) => Promise.resolve({ name: typeof each === 'string' ? each : each.name, uri: '', suites: [], components: [], key: '' }),
    secret: (secret) => Promise.resolve({ secret, fingerprint: '' }),
  });
}

const fileOf = ({ files }: RoleContent, path: string): string => files.find((file) => file.path === path)?.content ?? '';
const daemon = async (...args: readonly [string, Readonly<Record<string, unknown>>?]): Promise<unknown> =>
  JSON.parse(fileOf(await content('docker', ...args), '/etc/docker/daemon.json'));

test("Docker's configuration holds what was asked for, and what its driver takes", async () => {
  const plain = { 'log-driver': 'json-file', 'live-restore': false, 'log-opts': { 'max-size': '10m', 'max-file': '3' } };
  expect(await daemon('debian-13')).toEqual(plain);
  expect(await daemon('debian-13', { 'log-driver': 'journald' })).toEqual({ 'log-driver': 'journald', 'live-restore': false });
  expect(
    await daemon('debian-13', { 'data-root': '/srv/docker', mirrors: ['https://a.example', 'https://b.example'], 'address-pool': '172.28.0.0/14' }),
  ).toEqual({
    ...plain,
    'data-root': '/srv/docker',
    'registry-mirrors': ['https://a.example', 'https://b.example'],
    'default-address-pools': [{ base: '172.28.0.0/14', size: 24 }],
  });
  expect(await daemon('debian-13', { rootless: true, 'data-root': '/srv/docker' })).toEqual(plain);
  expect(await daemon('debian-12', { 'metrics-address': '127.0.0.1:9323' })).toEqual({ ...plain, 'metrics-addr': '127.0.0.1:9323', experimental: true });
  expect(await daemon('debian-12', { 'metrics-address': '127.0.0.1:9323', source: 'upstream' })).not.toHaveProperty('experimental');
});

test.each([
  ['debian-12', {}, ['docker.io'], ['docker-compose', 'docker-cli', 'docker-ce']],
  ['debian-13', {}, ['docker.io', 'docker-cli', 'docker-compose', 'docker-buildx'], ['docker-ce']],
  ['debian-13', { compose: false, buildx: false }, ['docker.io', 'docker-cli'], ['docker-compose', 'docker-buildx']],
  ['debian-12', { source: 'upstream' }, ['docker-ce', 'containerd.io', 'docker-compose-plugin'], ['docker.io', 'docker-cli']],
  ['debian-13', { source: 'upstream', rootless: true }, ['docker-ce-rootless-extras', 'uidmap'], ['rootlesskit']],
  ['debian-13', { rootless: true }, ['rootlesskit', 'slirp4netns'], ['docker-ce-rootless-extras']],
  ['rocky-9', {}, ['docker-ce', 'docker-compose-plugin'], ['docker']],
  ['amazonlinux-2023', {}, ['docker'], ['docker-ce', 'docker-compose-plugin']],
  ['opensuse-16', {}, ['docker', 'docker-compose'], ['docker-ce']],
  ['alpine-3.22', {}, ['docker', 'docker-cli-compose'], ['docker-ce']],
])('Docker on %s with %o', async (release, parameters, has, lacks) => {
  const { packages, repositories } = await content('docker', release, parameters);
  expect(packages).toEqual(expect.arrayContaining([...has]));
  expect(packages.filter((name) => lacks.includes(name))).toEqual([]);
  expect(repositories.map(({ name }) => name)).toEqual(packages.includes('docker-ce') ? ['docker'] : []);
});

test.each([
  ['debian-12', {}, 2],
  ['debian-13', {}, 2],
  ['ubuntu-24.04', {}, 2],
  ['debian-testing', {}, 3],
  ['debian-13', { containerd: 'upstream' }, 3],
  ['rocky-9', {}, 3],
  ['arch', {}, 3],
])("containerd's configuration for Kubernetes on %s with %o is of version %i", async (release, parameters, version) => {
  const text = fileOf(await content('kubernetes', release, parameters), '/etc/containerd/config.toml');
  expect(text).toMatch(new RegExp(`^version = ${version}$`, 'm'));
  expect(text).toContain('SystemdCgroup = true');
  expect(text).toContain('registry.k8s.io/pause:');
  expect(text.includes('io.containerd.grpc.v1.cri')).toBe(version === 2);
});

const python = existsSync('/usr/bin/python3');

test.skipIf(!python)(`Kata is added to what the roles before it wrote${python ? '' : ' (skipped: no python3)'}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-test-'));
  try {
    const script = (await readFile(join(ROLES, 'kata/files/kata-register'), 'utf8')).replaceAll("'/etc/", `'${folder}/etc/`);
    for (const path of ['bin', 'etc/docker', 'etc/containerd']) await mkdir(join(folder, path), { recursive: true });
    const program = (name: string, text: string): Promise<void> => writeFile(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await program('kubelet', 'exit 1');
    await program('containerd', '[ "$*" = "config dump" ]');
    await program('dockerd', 'echo Docker version 26.1.5, build 1234567');
    const docker = await daemon('debian-13', { mirrors: ['https://a.example'] });
    await writeFile(join(folder, 'etc/docker/daemon.json'), JSON.stringify(docker));
    const register = async (): Promise<void> => {
      await writeFile(join(folder, 'etc/containerd/config.toml'), fileOf(await content('kubernetes', 'debian-13'), '/etc/containerd/config.toml'));
      await hostProcesses.run(['/usr/bin/python3', '-c', script], { env: { PATH: `${folder}/bin:/usr/bin:/bin` }, timeout: 30 });
    };
    await register();
    expect(JSON.parse(await readFile(join(folder, 'etc/docker/daemon.json'), 'utf8'))).toEqual({
      ...(typeof docker === 'object' ? docker : {}),
      runtimes: { kata: { runtimeType: expect.stringContaining('containerd-shim-kata-v2'), options: { ConfigPath: expect.stringMatching(/\.toml$/) } } },
    });
    const toml = await readFile(join(folder, 'etc/containerd/config.toml'), 'utf8');
    expect(toml).toContain('\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]\n');
    expect(toml).toContain('SystemdCgroup = true');
    // Docker 20.10 refuses entries of this kind.
    await program('dockerd', 'echo Docker version 20.10.24+dfsg1, build 297e128');
    await writeFile(join(folder, 'etc/docker/daemon.json'), '{}');
    await register();
    expect(await readFile(join(folder, 'etc/docker/daemon.json'), 'utf8')).toBe('{}');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
