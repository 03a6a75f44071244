import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { takeLock } from '../../base/lock.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Context } from '../../operations/operation.ts';
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
  archive: z.enum(['archive', 'security']),
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
const resolutionSchema = z.object({ v: z.literal(1), packages: z.array(packageSchema) });

export interface UpstreamOptions {
  readonly release: Release;
  readonly arch: string;
  readonly mirrors: Mirrors;
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
 * Resolves a package list against the refreshed metadata, on an empty system, without recommendations. The answer is
 * remembered under the metadata's hashes, so an unchanged question costs one small read. Throws `package-unknown`
 * and `packages-unresolvable`.
 */
export async function resolvePackages(
  context: Dependencies,
  options: UpstreamOptions,
  state: UpstreamState,
  names: readonly string[],
): Promise<ResolvedPackage[]> {
  const question = createHash('sha256')
    .update(JSON.stringify([1, options.release.id, options.arch, state.indexes, names]))
    .digest('hex');
  const path = join(context.home.resolutions, `${question}.json`);
  const remembered = await readTextIfThere(context.host.files, path);
  if (remembered !== undefined) return resolutionSchema.parse(JSON.parse(remembered)).packages;
  const folder = upstreamFolder(context, options);
  await using _lock = await lockUpstream(context, options);
  const [first, uris] = await Promise.all([
    aptInstall(context, folder, ['?essential', ...names.filter((name) => name === 'usr-is-merged')]),
    aptInstall(context, folder, ['?essential', ...names]),
  ]);
  const essential = new Set(first.map((uri) => uri.sha256));
  const packages = uris.map((uri) => toPackage(uri, state.mirrors, essential.has(uri.sha256)));
  await replaceFile(context.host.files, path, JSON.stringify({ v: 1, packages }));
  return packages;
}

function upstreamFolder({ home }: Pick<Dependencies, 'home'>, { release, arch }: UpstreamOptions): string {
  return join(home.upstream, `${release.id}-${arch}`);
}

async function lockUpstream(context: Dependencies, { release, arch }: UpstreamOptions): Promise<AsyncDisposable> {
  return await takeLock(context.host, context.home, `upstream-${release.id}-${arch}`, {
    what: `reading the repositories of ${release.id}`,
    signal: context.signal,
    onWait: (owner) => context.events.message('info', `Waiting for ${owner?.what ?? 'another process'} to finish.`),
  });
}

/** Writes an apt configuration that knows nothing of the host's own. */
async function prepareApt(context: Dependencies, { release, arch, mirrors }: UpstreamOptions, folder: string): Promise<void> {
  const { files } = context.host;
  for (const part of ['etc/apt.conf.d', 'etc/preferences.d', 'etc/sources.list.d', 'etc/trusted.gpg.d', 'lists/partial', 'archives/partial'])
    await files.makeDirectory(join(folder, part));
  await files.write(join(folder, 'status'), '');
  await files.write(join(folder, 'keyring.asc'), release.keyring);
  const line = (uri: string, suite: string): string =>
    `deb [arch=${arch} signed-by=${join(folder, 'keyring.asc')}] ${uri} ${suite} ${release.components.join(' ')}\n`;
  const sources = [
    ...release.suites.map((suite) => line(mirrors.archive, suite)),
    ...(release.securitySuite === undefined ? [] : [line(mirrors.security, release.securitySuite)]),
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

async function aptInstall(context: Dependencies, folder: string, names: readonly string[]): Promise<AptUri[]> {
  const result = await context.host.processes.run(['apt-get', 'install', '--yes', '--print-uris', '-qq', '-o', 'Acquire::ForceHash=SHA256', ...names], {
    env: aptEnvironment(folder),
    timeout: 120,
    signal: context.signal,
    accept: [100],
  });
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
  return parsePrintUris(result.stdout);
}

/** Reads the lines of `apt-get --print-uris`: `'url' file size SHA256:hex`. */
export function parsePrintUris(text: string): AptUri[] {
  return text.split('\n').flatMap((line) => {
    const match = /^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined || match[4] === undefined) return [];
    return [{ url: match[1], file: match[2], size: Number(match[3]), sha256: match[4] }];
  });
}

function toPackage(uri: AptUri, mirrors: Mirrors, essential: boolean): ResolvedPackage {
  const [name, version, arch] = uri.file
    .replace(/\.deb$/, '')
    .split('_')
    .map(decodeURIComponent);
  const archive = uri.url.startsWith(`${mirrors.security}/`) ? 'security' : 'archive';
  if (name === undefined || version === undefined || arch === undefined || !uri.url.startsWith(`${mirrors[archive]}/`)) {
    throw new IngotError('internal', 'package-uri-unreadable', `apt named a package in a form that is not understood: ${uri.url}`);
  }
  return { name, version, arch, sha256: uri.sha256, size: uri.size, path: uri.url.slice(mirrors[archive].length + 1), archive, essential };
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
