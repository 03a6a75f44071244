import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { takeLock } from '../../base/lock.ts';
import { hashValue } from '../../base/hash.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Context } from '../../operations/operation.ts';
import type { InstalledPackage } from '../../store/model.ts';
import type { PackageRepository } from '../../template/template.ts';
import type { Mirrors } from './mirrors.ts';
import type { ResolvedPackage } from './recipe.ts';

type Dependencies = Pick<Context, 'host' | 'home' | 'events' | 'signal'>;

const packageSchema = z.object({
  name: z.string(),
  version: z.string(),
  arch: z.string(),
  sha256: z.string(),
  size: z.number(),
  path: z.string(),
  archive: z.string(),
  essential: z.boolean(),
});

/** What was last seen of a release's repositories: enough to plan without any network. */
const upstreamSchema = z.object({
  v: z.literal(1),
  /** `<suite>` -> SHA-256 of its InRelease file. */
  indexes: z.record(z.string(), z.string()),
  mirrors: z.object({ archive: z.string(), security: z.string() }),
  expired: z.boolean(),
  checked: z.iso.datetime(),
});
export type UpstreamState = z.output<typeof upstreamSchema>;

/** A package list resolved against repositories: what the lock pins and a layer's key holds. */
export const resolutionSchema = z.object({ v: z.literal(1), packages: z.array(packageSchema), removed: z.array(z.string()).default([]) });
export type Resolution = Omit<z.output<typeof resolutionSchema>, 'v'>;

/** What is installed already where further packages are resolved. */
export interface InstalledSet {
  /** Changes with what is installed. */
  readonly identity: string;
  /** The text of dpkg's status file. */
  status(): Promise<string>;
}

export interface UpstreamOptions {
  readonly release: Release;
  readonly arch: string;
  readonly mirrors: Mirrors;
  /** Further repositories of the template, with the keys that sign them. */
  readonly repositories?: readonly PackageRepository[];
  /** No network: the state that was last seen. */
  readonly offline: boolean;
  readonly allowExpired: boolean;
}

/**
 * Brings the repository metadata of a release up to date with apt, which verifies its signatures against the catalog's
 * pinned keys. Throws `upstream-unknown` (offline, never seen), `metadata-expired`, `signature-invalid`,
 * `mirror-unreachable`, `release-missing`.
 */
export async function refreshUpstream(context: Dependencies, options: UpstreamOptions): Promise<UpstreamState> {
  const folder = upstreamFolder(context, options);
  const statePath = join(folder, 'state.json');
  if (options.offline) {
    const text = await readTextIfThere(context.host.files, statePath);
    if (text === undefined) {
      throw new IngotError('upstream', 'upstream-unknown', `Nothing is known yet about the repositories of ${options.release.id} (${options.arch})`, {
        hint: 'Build or plan it once without --offline.',
      });
    }
    const state = upstreamSchema.parse(JSON.parse(text));
    if (state.expired && !options.allowExpired) throw expiredError(options.release);
    return state;
  }
  await using _lock = await lockUpstream(context, options);
  await prepareApt(context, options, folder);
  // Expiry is checked first the strict way, so that allowing it is recorded only where it was needed.
  let expired = false;
  try {
    await aptUpdate(context, folder, []);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'metadata-expired') throw error;
    if (!options.allowExpired) throw expiredError(options.release);
    expired = true;
    await aptUpdate(context, folder, ['-o', 'Acquire::Check-Valid-Until=false']);
  }
  const indexes: Record<string, string> = {};
  for (const name of await context.host.files.list(join(folder, 'lists'))) {
    if (!/_(?:In)?Release$/.test(name)) continue;
    const suite = /_dists_(.+)_InRelease$/.exec(name)?.[1] ?? name;
    indexes[suite] = createHash('sha256')
      .update(await context.host.files.read(join(folder, 'lists', name)))
      .digest('hex');
  }
  const state: UpstreamState = { v: 1, indexes, mirrors: options.mirrors, expired, checked: context.host.clock.now().toISOString() };
  await replaceFile(context.host.files, statePath, JSON.stringify(state));
  return state;
}

/**
 * Resolves a package list against the refreshed metadata, without recommendations: on an empty system, or on top of what is
 * installed. The answer is remembered under the metadata's hashes, so an unchanged question costs one small read. Throws
 * `package-unknown` and `packages-unresolvable`.
 */
export async function resolvePackages(
  context: Dependencies,
  options: UpstreamOptions,
  state: UpstreamState,
  names: readonly string[],
  installed?: InstalledSet,
): Promise<Resolution> {
  const question = createHash('sha256')
    .update(JSON.stringify([1, options.release.id, options.arch, state.indexes, names, ...(installed === undefined ? [] : [installed.identity])]))
    .digest('hex');
  const path = join(context.home.resolutions, `${question}.json`);
  const remembered = await readTextIfThere(context.host.files, path);
  if (remembered !== undefined) return resolutionSchema.parse(JSON.parse(remembered));
  const folder = upstreamFolder(context, options);
  await using _lock = await lockUpstream(context, options);
  const resolution =
    installed === undefined ? await resolveBase(context, options, state, folder, names) : await resolveOnTop(context, options, state, folder, names, installed);
  await replaceFile(context.host.files, path, JSON.stringify({ v: 1, ...resolution }));
  return resolution;
}

async function resolveBase(
  context: Dependencies,
  options: UpstreamOptions,
  state: UpstreamState,
  folder: string,
  names: readonly string[],
): Promise<Resolution> {
  const [first, { uris }] = await Promise.all([
    aptInstall(context, folder, ['?essential', ...names.filter((name) => name === 'usr-is-merged')]),
    aptInstall(context, folder, ['?essential', ...names]),
  ]);
  const essential = new Set(first.uris.map((uri) => uri.sha256));
  return { packages: uris.map((uri) => toPackage(uri, options, state, essential.has(uri.sha256))), removed: [] };
}

async function resolveOnTop(
  context: Dependencies,
  options: UpstreamOptions,
  state: UpstreamState,
  folder: string,
  names: readonly string[],
  installed: InstalledSet,
): Promise<Resolution> {
  const status = join(folder, `status-${createHash('sha256').update(installed.identity).digest('hex').slice(0, 16)}`);
  await context.host.files.write(status, await installed.status());
  try {
    // pkgcache.bin is of the empty system: this question must neither use nor replace it.
    const { uris, removed } = await aptInstall(context, folder, names, ['-o', `Dir::State::status=${status}`, '-o', 'Dir::Cache::pkgcache=']);
    return { packages: uris.map((uri) => toPackage(uri, options, state, false)), removed };
  } finally {
    await context.host.files.remove(status);
  }
}

/** Fields that matter for resolving on top of a package; those by which apt tells two builds of one version apart (debListParser::VersionHash) are among them. */
const STATUS_FIELDS =
  /^(Package|Installed-Size|Architecture|Version|Multi-Arch|Essential|Important|Protected|Source|Depends|Pre-Depends|Provides|Conflicts|Breaks|Replaces): /;

/**
 * Packages of the last seen metadata as the text of a dpkg status file, as if they were installed. Throws `package-gone` where the
 * metadata does not have one of them any more.
 */
export async function statusOf(context: Dependencies, options: UpstreamOptions, packages: readonly InstalledPackage[]): Promise<string> {
  const folder = upstreamFolder(context, options);
  const wanted = new Map(packages.map((item) => [`${item.name} ${item.version}`, item]));
  const stanzas: string[] = [];
  const { stdout } = await context.host.processes.run(['apt-cache', 'show', ...packages.map((item) => `${item.name}=${item.version}`)], {
    env: aptEnvironment(folder),
    timeout: 120,
    signal: context.signal,
    accept: [100],
  });
  for (const text of stdout.split('\n\n')) {
    const lines = text.split('\n').filter((line) => STATUS_FIELDS.test(line));
    const field = (name: string): string => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
    // The same version can be in two archives.
    if (wanted.delete(`${field('Package')} ${field('Version')}`)) stanzas.push([...lines, 'Status: install ok installed', ''].join('\n'));
  }
  const gone = [...wanted.values()];
  if (gone.length > 0) {
    throw new IngotError('upstream', 'package-gone', `The repositories no longer have ${gone.map((item) => `${item.name} ${item.version}`).join(', ')}`, {
      hint: 'The metadata changed while it was read: run the same command again.',
    });
  }
  return stanzas.join('\n');
}

function upstreamFolder({ home }: Pick<Dependencies, 'home'>, options: UpstreamOptions): string {
  return join(home.upstream, upstreamName(options));
}

/** Names the repositories of a release together with a template's further ones. */
export function upstreamName({ release, arch, repositories = [] }: Pick<UpstreamOptions, 'release' | 'arch' | 'repositories'>): string {
  return [release.id, arch, ...(repositories.length === 0 ? [] : [hashValue(repositories).slice(0, 12)])].join('-');
}

async function lockUpstream(context: Dependencies, options: UpstreamOptions): Promise<AsyncDisposable> {
  return await takeLock(context.host, context.home, `upstream-${upstreamName(options)}`, {
    what: `reading the repositories of ${options.release.id}`,
    signal: context.signal,
    onWait: (owner) => context.events.message('info', `Waiting for ${owner?.what ?? 'another process'} to finish.`),
  });
}

/** Writes an apt configuration that knows nothing of the host's own. */
async function prepareApt(context: Dependencies, { release, arch, mirrors, repositories = [] }: UpstreamOptions, folder: string): Promise<void> {
  const { files } = context.host;
  for (const part of ['etc/apt.conf.d', 'etc/preferences.d', 'etc/sources.list.d', 'etc/trusted.gpg.d', 'lists/partial', 'archives/partial'])
    await files.makeDirectory(join(folder, part));
  await files.write(join(folder, 'status'), '');
  await files.write(join(folder, 'keyring.asc'), release.keyring);
  for (const { name, key } of repositories) await files.write(join(folder, `${name}.asc`), key);
  const line = (uri: string, suite: string, keyring = 'keyring', components: readonly string[] = release.components): string =>
    `deb [arch=${arch} signed-by=${join(folder, `${keyring}.asc`)}] ${uri} ${suite} ${components.join(' ')}\n`;
  const sources = [
    ...release.suites.map((suite) => line(mirrors.archive, suite)),
    ...(release.securitySuite === undefined ? [] : [line(mirrors.security, release.securitySuite)]),
    // A suite that is a path has no components.
    ...repositories.flatMap((extra) => extra.suites.map((suite) => line(extra.uri, suite, extra.name, suite.endsWith('/') ? [] : extra.components))),
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

async function aptUpdate(context: Dependencies, folder: string, options: readonly string[]): Promise<void> {
  const result = await context.host.processes.run(['apt-get', 'update', '--error-on=any', ...options], {
    env: aptEnvironment(folder),
    timeout: 600,
    signal: context.signal,
    accept: [100],
  });
  if (result.exitCode === 0) return;
  const errors = result.stderr
    .split('\n')
    .filter((line) => /^[EW]:/.test(line))
    .join('\n');
  const fail = (errorClass: 'verification' | 'upstream', code: string, message: string, hint: string): IngotError =>
    new IngotError(errorClass, code, message, { hint, detail: errors });
  if (/is (?:expired|not valid anymore)|Release file .* is expired/i.test(errors))
    throw fail('upstream', 'metadata-expired', 'The repository metadata is past its Valid-Until date', '');
  if (/NO_PUBKEY|BADSIG|not signed|EXPKEYSIG|signatures were invalid|couldn't be verified|Signed file isn't valid|Clearsigned file isn't valid/i.test(errors)) {
    throw fail(
      'verification',
      'signature-invalid',
      'The repository metadata is not signed by a key that the catalog pins',
      'Use another mirror. If the distribution has new keys, update ingot.',
    );
  }
  if (/does not have a Release file|404\s+Not Found/i.test(errors))
    throw fail('upstream', 'release-missing', 'The mirror does not have this release', 'Check --mirror: it is the folder above dists/.');
  throw fail(
    'upstream',
    'mirror-unreachable',
    'The repository metadata could not be read from the mirror',
    'Check the network, or name another mirror with --mirror; --offline builds from what was last seen.',
  );
}

interface AptUri {
  readonly url: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

async function aptInstall(
  context: Dependencies,
  folder: string,
  names: readonly string[],
  options: readonly string[] = [],
): Promise<{ uris: AptUri[]; removed: string[] }> {
  const result = await context.host.processes.run(
    ['apt-get', 'install', '--yes', '--print-uris', '-q', '-o', 'Acquire::ForceHash=SHA256', ...options, ...names],
    {
      env: aptEnvironment(folder),
      timeout: 120,
      signal: context.signal,
      accept: [100],
    },
  );
  if (result.exitCode !== 0) {
    const unknown = [...result.stderr.matchAll(/Unable to locate package (\S+)|Package '?([^' ]+)'? has no installation candidate/g)].map(
      (match) => match[1] ?? match[2],
    );
    if (unknown.length > 0)
      throw new IngotError('not-found', 'package-unknown', `The repositories have no package ${unknown.join(', ')}`, { detail: result.stderr.trim() });
    throw new IngotError('upstream', 'packages-unresolvable', 'apt cannot install these packages together', {
      detail: `${result.stdout}\n${result.stderr}`.trim(),
    });
  }
  return { uris: parsePrintUris(result.stdout), removed: parseRemoved(result.stdout) };
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

function toPackage(uri: AptUri, { repositories = [] }: UpstreamOptions, state: UpstreamState, essential: boolean): ResolvedPackage {
  const [name, version, arch] = uri.file
    .replace(/\.deb$/, '')
    .split('_')
    .map(decodeURIComponent);
  const archives = { security: state.mirrors.security, archive: state.mirrors.archive, ...repositoryMirrors(repositories) };
  const archive = Object.entries(archives).find(([, base]) => uri.url.startsWith(`${base}/`));
  if (name === undefined || version === undefined || arch === undefined || archive === undefined) {
    throw new IngotError('internal', 'package-uri-unreadable', `apt named a package in a form that is not understood: ${uri.url}`);
  }
  return { name, version, arch, sha256: uri.sha256, size: uri.size, path: uri.url.slice(archive[1].length + 1), archive: archive[0], essential };
}

/** Where the packages of a template's further repositories are downloaded from, by the name of the archive. */
export function repositoryMirrors(repositories: readonly PackageRepository[]): Record<string, string> {
  return Object.fromEntries(repositories.map(({ name, uri }) => [`repository ${name}`, uri.replace(/\/$/, '')]));
}

function aptEnvironment(folder: string): Record<string, string> {
  const proxies = Object.fromEntries(
    ['http_proxy', 'https_proxy', 'no_proxy'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  return { APT_CONFIG: join(folder, 'apt.conf'), ...proxies };
}

function expiredError(release: Release): IngotError {
  return new IngotError('upstream', 'metadata-expired', `The repository metadata of ${release.id} is past its Valid-Until date`, {
    hint: 'The mirror is stale. Use another one, or allow it with --allow-expired-metadata; the image will record that.',
  });
}
