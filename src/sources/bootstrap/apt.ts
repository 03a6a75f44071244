import { join } from 'node:path';
import { IngotError, nearest } from '../../base/errors.ts';
import { archiveOf } from '../../catalog/catalog.ts';
import type { Context } from '../../operations/operation.ts';
import type { InstalledPackage } from '../../store/model.ts';
import { proxyEnvironment } from '../../base/transfer/proxy.ts';
import { updateFailure } from './apt-failure.ts';
import type { UpstreamOptions } from './upstream.ts';

/*
 * apt of this host, in a configuration of its own in a folder: it reads, verifies and resolves, and never touches what the host has installed.
 */

type Dependencies = Pick<Context, 'host' | 'signal'>;

/** Writes an apt configuration that knows nothing of the host's own. */
export async function prepareApt(context: Dependencies, { release, arch, mirrors, repositories = [] }: UpstreamOptions, folder: string): Promise<void> {
  const { files } = context.host;
  const archive = archiveOf(release);
  for (const part of ['etc/apt.conf.d', 'etc/preferences.d', 'etc/sources.list.d', 'etc/trusted.gpg.d', 'lists/partial', 'archives/partial'])
    await files.makeDirectory(join(folder, part));
  await files.write(join(folder, 'status'), '');
  await files.write(join(folder, 'keyring.asc'), archive.keyring);
  for (const { name, key } of repositories) await files.write(repositoryKey(folder, name), key);
  const line = (uri: string, suite: string, keyring = join(folder, 'keyring.asc'), components: readonly string[] = archive.components): string =>
    `deb [arch=${arch} signed-by=${keyring}] ${uri} ${suite} ${components.join(' ')}\n`;
  const sources = [
    ...archive.suites.map((suite) => line(mirrors.archive, suite)),
    ...(archive.securitySuite === undefined ? [] : [line(mirrors.security, archive.securitySuite)]),
    // A suite that is a path has no components.
    ...repositories.flatMap((extra) =>
      extra.suites.map((suite) => line(extra.uri, suite, repositoryKey(folder, extra.name), suite.endsWith('/') ? [] : extra.components)),
    ),
  ];
  await files.write(join(folder, 'etc', 'sources.list'), sources.join(''));
  const configuration = {
    'APT::Architecture': arch,
    'APT::Architectures': arch,
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'Acquire::http::Timeout': '30',
    'Acquire::https::Timeout': '30',
    'Dir::Etc': join(folder, 'etc'),
    'Dir::State': folder,
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    'Dir::Cache::archives': join(folder, 'archives'),
    'Dir::Log': folder,
  };
  const text = Object.entries(configuration)
    .map(([key, value]) => `${key} "${value}";\n`)
    .join('');
  await files.write(join(folder, 'apt.conf'), text);
}

/** Fetches and verifies the metadata. Throws `metadata-expired`, `signature-invalid`, `release-missing`, `mirror-unreachable`. */
export async function aptUpdate(
  context: Dependencies,
  folder: string,
  { repositories }: Pick<UpstreamOptions, 'repositories'>,
  options: readonly string[] = [],
): Promise<void> {
  const result = await context.host.processes.run(['apt-get', 'update', '--error-on=any', ...options], {
    env: aptEnvironment(folder),
    timeout: 600,
    signal: context.signal,
    accept: [100],
  });
  if (result.exitCode !== 0) throw updateFailure(result.stderr, repositories);
}

/** A package file as apt names it. */
export interface AptUri {
  readonly url: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** What apt would download, and the names of what it would remove. */
export interface AptAnswer {
  readonly uris: AptUri[];
  readonly removed: string[];
}

/** What apt would download and remove to install packages. Throws `package-unknown`, `packages-unresolvable`. */
export async function aptInstall(context: Dependencies, folder: string, names: readonly string[], options: readonly string[] = []): Promise<AptAnswer> {
  return await aptAsk(context, folder, ['install', ...options, ...names]);
}

/**
 * What apt would download and remove to bring everything up to date, or what the release's security suite has newer versions of. Throws
 * `packages-unresolvable`.
 */
export async function aptUpgrade(
  context: Dependencies,
  folder: string,
  where: UpstreamOptions,
  scope: 'security' | 'all',
  options: readonly string[] = [],
): Promise<AptAnswer> {
  const preferences = join(folder, 'security-only');
  if (scope === 'security') await context.host.files.write(preferences, securityOnly(where));
  const pins = scope === 'security' ? ['-o', `Dir::Etc::preferences=${preferences}`] : [];
  // Which machines get a phased update first follows from their machine ids, and the one that asks is none of them.
  return await aptAsk(context, folder, ['dist-upgrade', '-o', 'APT::Get::Always-Include-Phased-Updates=true', ...pins, ...options]);
}

/**
 * Preferences (apt_preferences(5)) by which only the security suite replaces what is installed: other versions have less than the priority of an
 * installed package, which is 100, so they are taken for new packages alone. The first record that matches holds. Debian tells its suites by
 * codename, Ubuntu by suite; a template's further repositories by their hosts.
 */
export function securityOnly({ release, repositories = [] }: Pick<UpstreamOptions, 'release' | 'repositories'>): string {
  const archive = archiveOf(release);
  const record = (pin: string, priority: number): string => `Package: *\nPin: ${pin}\nPin-Priority: ${priority}\n`;
  const suite = (name: string, priority: number): string[] => [record(`release n=${name}`, priority), record(`release a=${name}`, priority)];
  return [
    ...(archive.securitySuite === undefined ? [] : suite(archive.securitySuite, 500)),
    ...archive.suites.flatMap((name) => suite(name, 50)),
    ...repositories.map(({ uri }) => record(`origin "${new URL(uri).hostname}"`, 50)),
  ].join('\n');
}

async function aptAsk(context: Dependencies, folder: string, words: readonly string[]): Promise<AptAnswer> {
  const result = await context.host.processes.run(['apt-get', '--yes', '--print-uris', '-q', '-o', 'Acquire::ForceHash=SHA256', ...words], {
    env: aptEnvironment(folder),
    timeout: 120,
    signal: context.signal,
    accept: [100],
  });
  if (result.exitCode !== 0) {
    const unknown = [...result.stderr.matchAll(/Unable to locate package (\S+)|Package '?([^' ]+)'? has no installation candidate/g)].flatMap(
      (match) => match[1] ?? match[2] ?? [],
    );
    if (unknown.length > 0) throw await packageUnknown(context, folder, unknown);
    throw new IngotError('upstream', 'packages-unresolvable', 'apt cannot install these packages together', {
      detail: `${result.stdout}\n${result.stderr}`.trim(),
    });
  }
  return { uris: parsePrintUris(result.stdout), removed: parseRemoved(result.stdout) };
}

async function packageUnknown(context: Dependencies, folder: string, unknown: readonly string[]): Promise<IngotError> {
  const names = await aptPackageNames(context, folder);
  const near = unknown.flatMap((name) => nearest(name, names));
  return new IngotError('not-found', 'package-unknown', `The repositories have no package ${unknown.join(', ')}`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'Another component or repository may have it: see `repositories` in the template reference.',
  });
}

/** The names of all packages in the metadata. */
export async function aptPackageNames(context: Dependencies, folder: string): Promise<string[]> {
  const { stdout } = await context.host.processes.run(['apt-cache', 'pkgnames'], { env: aptEnvironment(folder), timeout: 120, signal: context.signal });
  return stdout.split('\n').filter((name) => name !== '');
}

/** The stanzas of packages in the metadata, as `apt-cache show` prints them. */
export async function aptShow(context: Dependencies, folder: string, packages: readonly InstalledPackage[]): Promise<string> {
  const { stdout } = await context.host.processes.run(['apt-cache', 'show', ...packages.map((item) => `${item.name}=${item.version}`)], {
    env: aptEnvironment(folder),
    timeout: 120,
    signal: context.signal,
    accept: [100],
  });
  return stdout;
}

/** A name that no other file of the folder has, whatever a template calls its repository. */
function repositoryKey(folder: string, name: string): string {
  return join(folder, `repository-${name}.asc`);
}

/** Names of the packages that apt says it would remove. */
export function parseRemoved(text: string): string[] {
  const list = /^The following packages will be REMOVED:\n((?: .*\n)*)/m.exec(text)?.[1] ?? '';
  return list
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/\*$/, ''));
}

/** Reads the lines of `apt-get --print-uris`: `'url' file size SHA256:hex`. */
export function parsePrintUris(text: string): AptUri[] {
  return text.split('\n').flatMap((line) => {
    const match = /^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined || match[4] === undefined) return [];
    return [{ url: match[1], file: match[2], size: Number(match[3]), sha256: match[4] }];
  });
}

function aptEnvironment(folder: string): Record<string, string> {
  return { APT_CONFIG: join(folder, 'apt.conf'), ...proxyEnvironment(process.env) };
}
