import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { FAMILIES } from './families.ts';
import type { CatalogData, Release } from './schema.ts';

const fingerprint = z.string().regex(/^[0-9A-F]{40}$/, 'must be a fingerprint: 40 hexadecimal digits, capital letters, no blanks');
/** An address in which `{{ name }}` may stand. */
const address = z.string().regex(/^https:\/\/\S+( \S+)*$/, 'must be an https address');
const word = z.string().min(1);

/** For which releases a way holds: all that is named must fit. */
const whenSchema = z
  .strictObject({
    distribution: z.array(word).optional().describe('One of these distributions'),
    major: z.array(word).optional().describe('One of these versions, without what follows a dot'),
  })
  .default({});

/** A repository of its own, with the keys that sign it. */
const sourceSchema = z.strictObject({
  when: whenSchema,
  uri: address.describe('Where it is'),
  suites: z.array(word).default([]).describe('apt alone: its suites; `./` for a flat one'),
  components: z.array(word).default([]).describe('apt alone: its components'),
  key: address.describe('Where the keys that sign it are fetched'),
  fingerprints: z.array(fingerprint).min(1).describe('Every key that is fetched must be one of these'),
});

/** One way to have a repository: the first whose `when` fits is taken. */
const waySchema = z.union([
  sourceSchema,
  z.strictObject({ when: whenSchema, package: word.describe("A package of the distribution's own that brings it") }),
  z.strictObject({ when: whenSchema, enable: word.describe('The distribution knows it by this name, but has it off') }),
  z.strictObject({ when: whenSchema, component: word.describe("A component of the distribution's own archive") }),
  z.strictObject({ when: whenSchema, included: z.literal(true).describe("Its packages are among the distribution's own") }),
]);
export type RepositoryWay = z.output<typeof waySchema>;
/** A way which is a repository of its own, as opposed to one that the distribution has. */
export type SourceWay = z.output<typeof sourceSchema>;

/**
 * A file catalog/repositories/<name>.yaml. In uri, suites, components, key, package and enable, `{{ name }}` stands for distribution, codename, release,
 * version, major, arch (amd64), machine (x86_64) and the repository's parameters.
 */
export const repositorySchema = z.strictObject({
  repository: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  summary: z.string(),
  parameters: z.record(z.string(), z.strictObject({ description: z.string(), default: z.string() })).default({}),
  families: z.partialRecord(z.enum(FAMILIES), z.union([waySchema.transform((way) => [way]), z.array(waySchema).min(1)])),
  note: z.string().optional().describe('What one should know before using it'),
  source: z.string().describe('Where its facts were seen'),
});
export type CatalogRepository = z.output<typeof repositorySchema>;

/** What of a release decides how it has a repository. */
export type RepositoryRelease = Pick<Release, 'id' | 'distribution' | 'version' | 'codename' | 'name'> & { readonly family: string };

/** A repository by its name; throws `repository-unknown` with the nearest names. */
export function findRepository(catalog: Pick<CatalogData, 'repositories'>, name: string): CatalogRepository {
  const found = catalog.repositories.find(({ repository }) => repository === name);
  if (found !== undefined) return found;
  const names = catalog.repositories.map(({ repository }) => repository);
  const near = nearest(name, names);
  throw new IngotError('not-found', 'repository-unknown', `There is no repository "${name}" in the catalog`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${names.join(', ')}.`,
  });
}

/** Whether a repository is there for a release, in any way. */
export function hasRepository(repository: CatalogRepository, release: Pick<RepositoryRelease, 'distribution' | 'version' | 'family'>): boolean {
  return wayFor(repository, release) !== undefined;
}

function wayFor(repository: CatalogRepository, release: Pick<RepositoryRelease, 'distribution' | 'version' | 'family'>): RepositoryWay | undefined {
  const ways = Object.entries(repository.families).find(([family]) => family === release.family)?.[1] ?? [];
  return ways.find(({ when }) => {
    const distributionFits = when.distribution === undefined || when.distribution.includes(release.distribution);
    return distributionFits && (when.major === undefined || when.major.includes(majorOf(release.version)));
  });
}

/**
 * How a release has a repository, with every `{{ name }}` filled in; `parameters` win over the repository's defaults, and those that it does not declare are
 * left aside. Throws `repository-unsupported` where the release cannot have it.
 */
export function repositoryWay(
  repository: CatalogRepository,
  release: RepositoryRelease,
  arch: string,
  parameters: Readonly<Record<string, string>> = {},
): RepositoryWay {
  const way = wayFor(repository, release);
  if (way === undefined) {
    const families = Object.keys(repository.families);
    throw new IngotError('usage', 'repository-unsupported', `The repository ${repository.repository} is not there for ${release.id}`, {
      hint: `It is there for the ${families.length === 1 ? 'family' : 'families'} ${families.join(', ')}; see \`ingot catalog repositories\`.`,
    });
  }
  const values = new Map([
    ...Object.entries(repository.parameters).map(([name, { default: value }]) => [name, parameters[name] ?? value] as const),
    ['distribution', release.distribution],
    ['codename', release.codename],
    ['release', release.id],
    ...(repository.parameters['version'] === undefined ? [['version', release.version] as const] : []),
    ['major', majorOf(release.version)],
    ['arch', arch],
    ['machine', MACHINES[arch] ?? arch],
  ]);
  const fill = (text: string): string => text.replaceAll(/\{\{ *([a-z0-9-]+) *\}\}/g, (whole, name: string) => values.get(name) ?? whole);
  if ('uri' in way) return { ...way, uri: fill(way.uri), suites: way.suites.map(fill), components: way.components.map(fill), key: fill(way.key) };
  if ('package' in way) return { ...way, package: fill(way.package) };
  return 'enable' in way ? { ...way, enable: fill(way.enable) } : way;
}

const MACHINES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

function majorOf(version: string): string {
  return version.replace(/\..*$/, '');
}
