import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostProcesses, type CommandResult } from '../../src/base/process.ts';
import { standIn, type ServedRepository, type StandInPackage } from '../support/stand-in.ts';

const missing = ['apt-get', 'dpkg-deb', 'gpg'].filter((program) => !existsSync(`/usr/bin/${program}`));
const real = test.skipIf(missing.length > 0);
const why = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', ')})`;

const PACKAGES: readonly StandInPackage[] = [
  {
    name: 'engine',
    version: '5:1.2-3',
    depends: ['engine-cli'],
    files: { '/usr/bin/engined': { content: '#!/bin/sh\n', mode: '0755' }, '/etc/engine.conf': 'a=b\n' },
  },
  { name: 'engine-cli', version: '1.2', links: { '/usr/bin/engine': 'engined' }, postinst: '#!/bin/sh\nexit 0\n' },
];

/** apt, which knows of nothing but one repository. */
async function apt(folder: string, { uri, suites, components, key }: ServedRepository, ...args: string[]): Promise<CommandResult> {
  const at = join(folder, 'apt');
  for (const path of ['lists/partial', 'archives/partial', 'etc/apt.conf.d', 'etc/preferences.d', 'etc/trusted.gpg.d', 'etc/sources.list.d'])
    await mkdir(join(at, path), { recursive: true });
  await writeFile(join(at, 'key.asc'), key);
  await writeFile(join(at, 'status'), '');
  const lines = suites.map((suite) => `deb [arch=amd64 signed-by=${at}/key.asc] ${uri} ${suite} ${suite.endsWith('/') ? '' : components.join(' ')}\n`);
  await writeFile(join(at, 'etc', 'sources.list'), lines.join(''));
  const settings = { 'Dir::Etc': `${at}/etc`, 'Dir::State': at, 'Dir::State::status': `${at}/status`, 'Dir::Cache': at, 'APT::Sandbox::User': '' };
  const text = Object.entries({ ...settings, 'APT::Architecture': 'amd64', 'APT::Architectures': 'amd64' }).map(([name, value]) => `${name} "${value}";\n`);
  await writeFile(join(at, 'apt.conf'), text.join(''));
  return await hostProcesses.run(['apt-get', ...args], { env: { APT_CONFIG: join(at, 'apt.conf') }, cwd: folder, timeout: 60, accept: [100] });
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-test-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const suites of [['stable', 'stable-updates'], ['/'], ['./']]) {
  real(`apt trusts a repository of suites ${suites.join(', ')}, and gets its packages${why}`, async () => {
    await using at = await standIn({ repositories: [{ name: 'engine', packages: PACKAGES, suites }] });
    const [repository] = at.repositories;
    if (repository === undefined) throw new Error('no repository');
    await inFolder(async (folder) => {
      expect(await apt(folder, repository, 'update', '--error-on=any')).toMatchObject({ exitCode: 0, stderr: '' });
      const { stdout } = await apt(folder, repository, 'install', '-o', 'Acquire::ForceHash=SHA256', '--print-uris', '--yes', '-q', 'engine');
      expect(stdout).toMatch(/engine_5%3a1.2-3_all.deb \d+ SHA256:[0-9a-f]{64}/);
      expect(await apt(folder, repository, 'download', 'engine', 'engine-cli')).toMatchObject({ exitCode: 0 });
      const [deb = ''] = (await readdir(folder)).filter((name) => name.startsWith('engine_'));
      const { stdout: content } = await hostProcesses.run(['dpkg-deb', '--contents', join(folder, deb)]);
      expect(content).toMatch(/-rwxr-xr-x root\/root .* \.\/usr\/bin\/engined\n/);
    });
  });
}

real(`another key than the one that is told is refused${why}`, async () => {
  await using at = await standIn({ repositories: [{ name: 'engine', packages: PACKAGES, wrongKey: true }] });
  const [repository] = at.repositories;
  if (repository === undefined) throw new Error('no repository');
  await inFolder(async (folder) => {
    const { exitCode, stderr } = await apt(folder, repository, 'update');
    expect(exitCode).toBe(100);
    expect(stderr).toContain('NO_PUBKEY');
  });
});

real(`the same description is the same package, files are served, what is not there is not found, and nothing stays${why}`, async () => {
  const before = (await readdir(tmpdir())).filter((name) => /^ingot-(si|deb)-/.test(name));
  const options = { repositories: [{ name: 'engine', packages: PACKAGES }], files: { 'v1/tool.tar': 'bytes' } };
  const hashes: (string | undefined)[] = [];
  for (const _ of [1, 2]) {
    await using at = await standIn(options);
    hashes.push(at.sha256['engine/pool/engine_1.2-3_all.deb']);
    expect(at.fingerprint).toMatch(/^[0-9A-F]{40}$/);
    const response = await fetch(`${at.url}/v1/tool.tar`);
    expect(await response.text()).toBe('bytes');
    expect((await fetch(`${at.url}/v2/tool.tar`)).status).toBe(404);
    expect(at.requests).toEqual(['/v1/tool.tar', '/v2/tool.tar']);
  }
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashes[1]).toBe(hashes[0]);
  expect((await readdir(tmpdir())).filter((name) => /^ingot-(si|deb)-/.test(name))).toEqual(before);
});
