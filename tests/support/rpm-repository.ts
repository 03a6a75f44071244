import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { hostProcesses } from '../../src/base/process.ts';

/* Small rpm packages and repositories of them, made by the real rpmbuild, rpmsign and createrepo_c, and signed by keys that live only here. */

/** Programs that make them. */
export const RPM_TOOLS = ['/usr/bin/rpmbuild', '/usr/bin/rpmsign', '/usr/bin/createrepo_c', '/usr/bin/modifyrepo_c', '/usr/bin/gpg'] as const;

/** Why no rpm repositories can be made here, or undefined. */
export function whyNoRpm(): string | undefined {
  const missing = RPM_TOOLS.filter((program) => !existsSync(program));
  return missing.length === 0 ? undefined : `${missing.join(', ')} are not installed (rpm, createrepo-c, gpg)`;
}

export interface RpmSpec {
  readonly name: string;
  /** Default 1. */
  readonly version?: string;
  readonly requires?: readonly string[];
  readonly provides?: readonly string[];
  /** Path -> content, or a file of this host that is taken as it is. */
  readonly files?: Readonly<Record<string, string | { readonly from: string }>>;
  /** Configuration files among them. */
  readonly config?: readonly string[];
  /** Shell, run after it is installed, and before it goes. */
  readonly post?: string;
  readonly preun?: string;
}

export interface RpmRepositorySpec {
  readonly packages: readonly RpmSpec[];
  /** Default: the lab's key; another key, or none. */
  readonly signedBy?: 'key' | 'other' | 'nobody';
  /** Packages whose version here is a security fix. */
  readonly security?: readonly string[];
  /** Cut after it was made. */
  readonly damaged?: boolean;
}

export interface RpmRepositories {
  /** Path below the address -> content, for a server. */
  readonly files: Record<string, Uint8Array>;
  /** The public key, armored. */
  readonly key: string;
  readonly otherKey: string;
}

/** Makes repositories: name -> what is in it. */
export async function makeRpmRepositories(repositories: Readonly<Record<string, RpmRepositorySpec>>): Promise<RpmRepositories> {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-rpm-'));
  try {
    const keys = { key: await makeKey(join(folder, 'k')), other: await makeKey(join(folder, 'o')) };
    const files: Record<string, Uint8Array> = {};
    for (const [name, spec] of Object.entries(repositories)) {
      const place = join(folder, name);
      await makeRepository(place, spec, spec.signedBy === 'nobody' ? undefined : keys[spec.signedBy ?? 'key']);
      for (const file of await filesBelow(place)) files[`${name}/${relative(place, file)}`] = await readFile(file);
    }
    return { files, key: keys.key.armored, otherKey: keys.other.armored };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Key {
  readonly home: string;
  readonly armored: string;
}

const env = (home: string): Record<string, string> => ({ GNUPGHOME: home, HOME: home, PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' });

async function makeKey(home: string): Promise<Key> {
  await mkdir(home, { mode: 0o700 });
  // dnf 4 of older distributions knows no other kind.
  await hostProcesses.run(
    ['gpg', '--batch', '--quiet', '--passphrase', '', '--quick-generate-key', 'ingot test <test@ingot.invalid>', 'rsa2048', 'sign', 'never'],
    {
      env: env(home),
      timeout: 120,
    },
  );
  const { stdout } = await hostProcesses.run(['gpg', '--batch', '--armor', '--export'], { env: env(home) });
  return { home, armored: stdout };
}

async function makeRepository(place: string, { packages, security = [], damaged = false }: RpmRepositorySpec, key: Key | undefined): Promise<void> {
  await mkdir(place, { recursive: true });
  for (const spec of packages) await buildRpm(place, spec);
  const home = key?.home ?? place;
  const rpms = (await readdir(place)).filter((name) => name.endsWith('.rpm')).map((name) => join(place, name));
  if (key !== undefined) {
    const define = ['--define', '_gpg_name test@ingot.invalid', '--define', `_gpg_path ${home}`, '--define', '__gpg /usr/bin/gpg'];
    await hostProcesses.run(['rpmsign', ...define, '--addsign', ...rpms], { env: env(home), timeout: 120 });
  }
  await hostProcesses.run(['createrepo_c', '--quiet', place], { env: env(home), timeout: 120 });
  const data = join(place, 'repodata');
  if (security.length > 0) {
    const file = join(place, 'updateinfo.xml');
    await writeFile(file, updateInfo(packages.filter(({ name }) => security.includes(name))));
    await hostProcesses.run(['modifyrepo_c', file, data], { env: env(home), timeout: 60 });
    await rm(file);
  }
  if (damaged) {
    for (const name of await readdir(data))
      if (name.includes('primary.xml')) await writeFile(join(data, name), (await readFile(join(data, name))).subarray(0, 60));
  }
  if (key !== undefined) {
    await hostProcesses.run(['gpg', '--batch', '--yes', '--armor', '--detach-sign', join(data, 'repomd.xml')], { env: env(home), timeout: 60 });
  }
  await rm(join(place, 'build'), { recursive: true, force: true });
}

async function buildRpm(place: string, spec: RpmSpec): Promise<void> {
  const { name, version = '1', requires = [], provides = [], files = {}, config = [], post, preun } = spec;
  const build = join(place, 'build');
  const payload = join(build, `${name}-payload`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(payload, path)), { recursive: true });
    const mode = typeof content !== 'string' || /\/s?bin\//.test(path) ? 0o755 : 0o644;
    await writeFile(join(payload, path), typeof content === 'string' ? content : await readFile(content.from), { mode });
  }
  const text = [
    `Name: ${name}`,
    `Version: ${version}`,
    'Release: 1',
    `Summary: ${name}, for a test`,
    'License: MIT',
    'BuildArch: noarch',
    'AutoReqProv: no',
    ...requires.map((item) => `Requires: ${item}`),
    ...provides.map((item) => `Provides: ${item}`),
    '%description',
    'For a test.',
    '%install',
    ...(Object.keys(files).length === 0 ? [] : [`mkdir -p %{buildroot}`, `cp -a ${payload}/. %{buildroot}/`]),
    ...(post === undefined ? [] : ['%post', post]),
    ...(preun === undefined ? [] : ['%preun', preun]),
    '%files',
    ...Object.keys(files).map((path) => `${config.includes(path) ? '%config(noreplace) ' : ''}${path}`),
    '',
  ].join('\n');
  await mkdir(build, { recursive: true });
  const file = join(build, `${name}.spec`);
  await writeFile(file, text);
  const define = (key: string, value: string): string[] => ['--define', `${key} ${value}`];
  const defines = [
    ...define('_topdir', build),
    ...define('_rpmdir', place),
    ...define('_rpmfilename', '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm'),
    ...define('_build_id_links', 'none'),
    ...define('__os_install_post', '%{nil}'),
    ...define('_binary_payload', 'w6.gzdio'),
    ...define('_binaries_in_noarch_packages_terminate_build', '0'),
  ];
  await hostProcesses.run(['rpmbuild', '-bb', '--quiet', ...defines, file], { env: env(build), timeout: 120 });
}

function updateInfo(packages: readonly RpmSpec[]): string {
  const item = ({ name, version = '1' }: RpmSpec): string =>
    `<package name="${name}" version="${version}" release="1" epoch="0" arch="noarch"><filename>${name}-${version}-1.noarch.rpm</filename></package>`;
  const update = (spec: RpmSpec): string => `<update from="test@ingot.invalid" status="final" type="security" version="1">
<id>TEST-${spec.name}</id><title>${spec.name}</title><severity>Important</severity><issued date="2026-01-01 00:00:00"/><description>A fix.</description>
<pkglist><collection short="test"><name>test</name>${item(spec)}</collection></pkglist></update>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<updates>${packages.map(update).join('\n')}</updates>\n`;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(entries.map((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)])));
  return found.flat();
}
