import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { takeLock } from '../../base/lock.ts';
import { hashValue } from '../../base/hash.ts';
import { archiveOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Context } from '../../operations/operation.ts';
import type { InstalledPackage } from '../../store/model.ts';
import type { PackageRepository } from '../../template/template.ts';
import { aptInstall, aptPackageNames, aptShow, aptUpdate, aptUpgrade, prepareApt, type AptAnswer, type AptUri } from './apt.ts';
import { installedStatus } from './installed-status.ts';
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
    await aptUpdate(context, folder, options);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'metadata-expired') throw error;
    if (!options.allowExpired) throw expiredError(options.release);
    expired = true;
    await aptUpdate(context, folder, options, ['-o', 'Acquire::Check-Valid-Until=false']);
  }
  const indexes: Record<string, string> = {};
  for (const name of await context.host.files.list(join(folder, 'lists'))) {
    if (!/_(?:In)?Release$/.test(name)) continue;
    const suite = /_dists_(.+)_InRelease$/.exec(name)?.[1] ?? name;
    // Two repositories may call their suites the same.
    indexes[suite in indexes ? name : suite] = createHash('sha256')
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
  const { release, arch } = options;
  const question = [1, release.id, arch, state.indexes, names, ...(installed === undefined ? [] : [installed.identity])];
  return await remembered(context, options, question, (folder) =>
    installed === undefined
      ? resolveBase(context, options, state, folder, names)
      : resolveOnTop(context, options, state, installed, (more) => aptInstall(context, folder, names, more)),
  );
}

/**
 * Newer versions of what is installed, and what they need: all, or those that the security suite of the release has. Remembered as
 * {@link resolvePackages} does. Throws `packages-unresolvable`, and `update-unsupported` where a release has no security suite.
 */
export async function resolveUpdates(
  context: Dependencies,
  options: UpstreamOptions,
  state: UpstreamState,
  scope: 'security' | 'all',
  installed: InstalledSet,
): Promise<Resolution> {
  const { release, arch } = options;
  if (scope === 'security' && archiveOf(release).securitySuite === undefined) throw noSecuritySuite(release);
  return await remembered(context, options, ['update', 1, release.id, arch, state.indexes, scope, installed.identity], (folder) =>
    resolveOnTop(context, options, state, installed, (more) => aptUpgrade(context, folder, options, scope, more)),
  );
}

/** The error for security updates of a release that does not have them apart from others. */
export function noSecuritySuite(release: Pick<Release, 'id'>): IngotError {
  return new IngotError('usage', 'update-unsupported', `${release.id} has no security updates apart from all others`, {
    hint: '`update: all` brings every package up to date.',
  });
}

async function remembered(
  context: Dependencies,
  options: UpstreamOptions,
  question: readonly unknown[],
  answer: (folder: string) => Promise<Resolution>,
): Promise<Resolution> {
  const name = createHash('sha256').update(JSON.stringify(question)).digest('hex');
  const path = join(context.home.resolutions, `${name}.json`);
  const known = await readTextIfThere(context.host.files, path);
  if (known !== undefined) return resolutionSchema.parse(JSON.parse(known));
  await using _lock = await lockUpstream(context, options);
  const resolution = await answer(upstreamFolder(context, options));
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
  installed: InstalledSet,
  ask: (aptOptions: readonly string[]) => Promise<AptAnswer>,
): Promise<Resolution> {
  const status = join(upstreamFolder(context, options), `status-${createHash('sha256').update(installed.identity).digest('hex').slice(0, 16)}`);
  await context.host.files.write(status, await installed.status());
  try {
    // pkgcache.bin is of the empty system: this question must neither use nor replace it.
    const { uris, removed } = await ask(['-o', `Dir::State::status=${status}`, '-o', 'Dir::Cache::pkgcache=']);
    return { packages: uris.map((uri) => toPackage(uri, options, state, false)), removed };
  } finally {
    await context.host.files.remove(status);
  }
}

/**
 * Packages of the last seen metadata as the text of a dpkg status file, as if they were installed. Throws `package-gone` where the
 * metadata does not have one of them any more.
 */
export async function statusOf(context: Dependencies, options: UpstreamOptions, packages: readonly InstalledPackage[]): Promise<string> {
  return installedStatus(await aptShow(context, upstreamFolder(context, options), packages), packages);
}

/** Names of all packages of the last seen metadata. */
export async function packageNames(context: Dependencies, options: UpstreamOptions): Promise<ReadonlySet<string>> {
  return new Set(await aptPackageNames(context, upstreamFolder(context, options)));
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

function expiredError(release: Release): IngotError {
  return new IngotError('upstream', 'metadata-expired', `The repository metadata of ${release.id} is past its Valid-Until date`, {
    hint: 'The mirror is stale. Use another one, or allow it with --allow-expired-metadata; the image will record that.',
  });
}
