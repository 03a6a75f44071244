import { IngotError } from '../base/errors.ts';
import { keyFingerprints } from '../base/openpgp.ts';
import { shownValue } from '../base/settings.ts';
import { findRepository, repositoryWay } from '../catalog/repositories.ts';
import type { CatalogData, Release } from '../catalog/schema.ts';
import { fetchText } from './fetch.ts';
import { repositoryKey } from './key-text.ts';
import type { Scope } from './scope.ts';
import type { PackageRepository } from './template.ts';
import type { VariableValue } from './variables-schema.ts';

/** A package repository whose key is known by its fingerprints: of the catalog, or of a role. */
export interface PinnedRepository extends Omit<PackageRepository, 'key'> {
  /** Where its key is. */
  readonly key: string;
  /** Upper-case hexadecimal digits; the key file may hold these keys and no others. */
  readonly fingerprints: readonly string[];
}

/**
 * A repository of the catalog for a release, with a role's parameters filled in; undefined where the release's own repositories hold it. Throws
 * `repository-unknown`, `repository-unsupported`, and `repository-manual` where the distribution has to be told to use it.
 */
function catalogRepository(
  catalog: CatalogData,
  name: string,
  release: Release,
  arch: string,
  parameters: ReadonlyMap<string, VariableValue>,
): PinnedRepository | undefined {
  const texts = Object.fromEntries([...parameters].map(([key, value]) => [key, String(value)]));
  const way = repositoryWay(findRepository(catalog, name), release, arch, texts);
  if ('uri' in way) return { name, uri: way.uri, suites: way.suites, components: way.components, key: way.key, fingerprints: way.fingerprints };
  if ('included' in way) return undefined;
  const what =
    'package' in way
      ? `its package ${way.package} brings it`
      : 'enable' in way
        ? `its repository ${way.enable} has to be enabled`
        : `it is the component ${way.component} of the archive`;
  throw new IngotError('usage', 'repository-manual', `The repository ${name} is part of ${release.id}, but not of its images: ${what}`, {
    hint: 'Start from an image in which it is enabled.',
  });
}

/**
 * A repository that something in the template needs, by its name in the catalog or as a role describes it; undefined where the image has it already, or the
 * template names one of its own under the same name, which is a mirror of it. Throws what {@link catalogRepository} and {@link pinnedRepository} throw.
 */
export async function neededRepository(
  scope: Scope,
  repository: string | PinnedRepository,
  release: Release,
  arch: string,
  parameters: ReadonlyMap<string, VariableValue> = new Map(),
): Promise<PackageRepository | undefined> {
  const name = typeof repository === 'string' ? repository : repository.name;
  if (scope.loaded.template.system?.repositories.some((own) => own.name === name) === true) return undefined;
  const pinned = typeof repository === 'string' ? catalogRepository(scope.catalog, name, release, arch, parameters) : repository;
  return pinned === undefined ? undefined : await pinnedRepository(scope, pinned);
}

async function fetchKey(scope: Pick<Scope, 'context' | 'offline'>, { name, key: url }: PinnedRepository): Promise<Uint8Array> {
  try {
    return await fetchText(scope.context, { url }, scope.offline);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'download-failed') throw error;
    throw new IngotError('upstream', 'repository-key-missing', `The key of the package repository ${name} could not be had`, {
      cause: error,
      hint: `Check the network. A mirror of your own takes its place: name it ${name}, with its key, under \`system\`, \`repositories\`.`,
    });
  }
}

/** The repository with its key fetched and checked. Throws `repository-key-mismatch`, and what fetching throws. */
async function pinnedRepository(scope: Pick<Scope, 'context' | 'reading' | 'offline'>, repository: PinnedRepository): Promise<PackageRepository> {
  const { key: url, fingerprints, ...rest } = repository;
  const bytes = await scope.reading.texts.get(`${url} `, () => fetchKey(scope, repository));
  const found = keyFingerprints(bytes);
  const checked = repositoryKey(bytes);
  const strange = found.filter((fingerprint) => !fingerprints.includes(fingerprint));
  if (found.length > 0 && strange.length === 0 && 'value' in checked) return { ...rest, key: checked.value };
  const message =
    found.length === 0 || !('value' in checked)
      ? `${shownValue(url)} holds no key that could be the one of the repository ${rest.name}`
      : `The key of the repository ${rest.name} is not the pinned one`;
  throw new IngotError('verification', 'repository-key-mismatch', message, {
    detail: [...fingerprints.map((each) => `pinned   ${each}`), ...found.map((each) => `received ${each}`)].join('\n'),
    hint: 'If its vendor has announced a new key, pin that; else somebody is between you and the repository.',
  });
}
