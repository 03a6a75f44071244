import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import type { Settings } from '../../base/settings.ts';
import { archiveOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';

/** Where a build downloads packages from. What the image keeps is the catalog's, always. */
export type Mirrors = { readonly archive: string; readonly security: string };

/** Where the packages of each archive are downloaded from: the mirrors, and a template's further repositories. */
export type Archives = Readonly<Record<string, string>>;

export interface RepositoryEntry {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/** Whose mirrors the plain settings are. */
const PLAIN = 'debian';

/**
 * The mirrors that the settings have for a release's archive: `mirror` and `security-mirror` are Debian's, `distribution-mirrors` has those of others as
 * `<distribution>` and `<distribution>-security`, where `<distribution>/<architecture>` goes before. Undefined where they have none.
 */
export function mirrorsOfSettings(
  settings: Pick<Settings, 'mirror' | 'security-mirror' | 'distribution-mirrors'>,
  { distribution }: Pick<Release, 'distribution'>,
  arch: string,
): { readonly archive: string | undefined; readonly security: string | undefined } {
  const named = new Map(
    (settings['distribution-mirrors'] ?? '').split(',').map((each) => {
      const at = each.indexOf('=');
      return [each.slice(0, at).trim(), each.slice(at + 1).trim()];
    }),
  );
  const of = (name: string): string | undefined => named.get(`${name}/${arch}`) ?? named.get(name);
  const plain = distribution === PLAIN ? settings : {};
  return { archive: of(distribution) ?? plain.mirror, security: of(`${distribution}-security`) ?? plain['security-mirror'] };
}

/**
 * The mirrors of a build: what the user asked for, else the host's own where the host runs the same distribution,
 * else the catalog's for the architecture. Throws `mirror-invalid` and `archive-unknown`.
 */
export async function chooseMirrors(
  host: Pick<Host, 'files'>,
  release: Release,
  arch: string,
  asked: { archive?: string | undefined; security?: string | undefined },
): Promise<Mirrors> {
  const { mirrors, ports } = archiveOf(release);
  const known = Object.entries(ports).find(([name]) => name === arch)?.[1] ?? mirrors;
  const configured = await hostEntries(host, release.distribution);
  const bySuite = (test: (suite: string) => boolean): string | undefined =>
    configured.find((entry) => entry.components.includes('main') && entry.suites.some(test))?.uri;
  const archive = asked.archive ?? bySuite((suite) => !suite.includes('-security') && !suite.includes('/')) ?? known.archive;
  const security = asked.security ?? bySuite((suite) => suite.endsWith('-security') || suite.endsWith('/updates')) ?? known.security;
  return { archive: checkMirror(archive), security: checkMirror(security) };
}

function checkMirror(text: string): string {
  const hint = 'A mirror is the folder above dists/, such as http://mirror.example/debian.';
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new IngotError('usage', 'mirror-invalid', `"${text}" is not the address of a package mirror`, { hint });
  if (url.username !== '' || url.password !== '')
    throw new IngotError('usage', 'mirror-invalid', 'The address of a mirror must not hold a password', { hint: "Put credentials into apt's auth.conf.d." });
  if (/[\s"';\\]/.test(text)) throw new IngotError('usage', 'mirror-invalid', `"${text}" is not the address of a package mirror`, { hint });
  return text.replace(/\/+$/, '');
}

/** The package repositories of a host of the given distribution (os-release's ID); empty for any other host. */
async function hostEntries(host: Pick<Host, 'files'>, distribution: string): Promise<RepositoryEntry[]> {
  const osRelease = (await readTextIfThere(host.files, '/etc/os-release')) ?? '';
  if (!new RegExp(`^ID="?${distribution}"?$`, 'm').test(osRelease)) return [];
  const folder = '/etc/apt/sources.list.d';
  const names = (await host.files.list(folder)).map((name) => join(folder, name));
  const entries: RepositoryEntry[] = [];
  for (const path of ['/etc/apt/sources.list', ...names]) {
    const text = await readTextIfThere(host.files, path);
    if (text === undefined) continue;
    if (path.endsWith('.sources')) entries.push(...parseDeb822(text));
    else if (path.endsWith('.list')) entries.push(...parseOneLine(text));
  }
  return entries;
}

/** Entries of a one-line style file: `deb [options] uri suite component…` (sources.list(5)). */
export function parseOneLine(text: string): RepositoryEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return [];
    return [{ uri: match[1], suites: [match[2]], components: (match[3] ?? '').split(/\s+/).filter((word) => word !== '') }];
  });
}

/** Entries of a deb822 style file (sources.list(5)); disabled ones and sources are left out. */
export function parseDeb822(text: string): RepositoryEntry[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string[]>();
    let current: string[] | undefined;
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const match = /^([A-Za-z-]+):(.*)$/.exec(line);
      if (match?.[1] !== undefined) {
        current = [];
        fields.set(match[1].toLowerCase(), current);
      }
      current?.push(...(match?.[2] ?? line).split(/\s+/).filter((word) => word !== ''));
    }
    if (!fields.get('types')?.includes('deb') || fields.get('enabled')?.[0]?.toLowerCase() === 'no') return [];
    return (fields.get('uris') ?? []).map((uri) => ({ uri, suites: fields.get('suites') ?? [], components: fields.get('components') ?? [] }));
  });
}
