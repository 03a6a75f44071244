import { IngotError } from '../base/errors.ts';
import { loadPackages, nativePackage, type PackageCatalog } from '../catalog/packages.ts';
import type { Release } from '../catalog/schema.ts';
import { releaseOf, type FoundBase } from './resolve-base.ts';
import { templateSchema } from './schema.ts';
import { neededRepository } from './resolve-repositories.ts';
import type { Scope } from './scope.ts';
import type { PackageRepository } from './template.ts';

/** Packages by the names of the family, and what some of them come from besides the distribution's repositories. */
export interface ResolvedPackages {
  readonly packages: readonly string[];
  readonly repositories: readonly PackageRepository[];
}

/**
 * The packages of the template, then those of the flags, by the names that the family gives them. What the release lacks is a problem at its place,
 * unless repositories of the template's own may have it.
 */
export async function resolvePackages(scope: Scope, more: readonly string[], found: FoundBase | undefined, arch: string): Promise<ResolvedPackages> {
  const { packages: written } = scope.loaded.template;
  for (const text of more) checkPackage(text);
  const release = releaseOf(scope, found);
  // What a disk from elsewhere holds is known once it is stored; the template is then resolved again.
  if (release === undefined || written.length + more.length === 0) return { packages: [...written, ...more], repositories: [] };
  const catalog = await loadPackages();
  const packages = new Set<string>();
  const repositories = new Map<string, PackageRepository | undefined>();
  const add = async (text: string): Promise<void> => {
    const native = nameOf(scope, catalog, text, release, arch);
    packages.add(native.name);
    const { repository } = native;
    if (repository !== undefined && !repositories.has(repository)) repositories.set(repository, await repositoryFor(scope, text, repository, release, arch));
  };
  for (const [i, text] of written.entries()) await scope.attempt(['packages', i], () => add(text));
  for (const text of more) await add(text);
  return { packages: [...packages], repositories: [...repositories.values()].filter((each) => each !== undefined) };
}

/** Whatever is wrong with a repository is told with the package that needs it. */
async function repositoryFor(scope: Scope, text: string, name: string, release: Release, arch: string): Promise<PackageRepository | undefined> {
  try {
    return await neededRepository(scope, name, release, arch);
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    const own = `A mirror of it can be named under \`system\`, \`repositories\` as ${name}.`;
    throw new IngotError(error.class, error.code, `${text} comes from the repository ${name}: ${error.message}`, {
      hint: error.class === 'upstream' ? own : (error.hint ?? own),
      cause: error.cause,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
    });
  }
}

function nameOf(scope: Scope, catalog: PackageCatalog, text: string, release: Release, arch: string): ReturnType<typeof nativePackage> {
  try {
    return nativePackage(catalog, text, release, arch);
  } catch (error) {
    const further = scope.loaded.template.system?.repositories ?? [];
    if (error instanceof IngotError && error.code === 'package-unsupported' && further.length > 0) return { name: text };
    throw error;
  }
}

function checkPackage(text: string): void {
  if (templateSchema.shape.packages.safeParse([text], { jitless: true }).success) return;
  throw new IngotError('usage', 'package-invalid', `"${text}" is not the name of a package`, { hint: 'Write a name, or name=version.' });
}
