import { IngotError } from '../base/errors.ts';
import { loadPackages, nativePackage, type PackageCatalog } from '../catalog/packages.ts';
import type { Release } from '../catalog/schema.ts';
import { releaseOf, type FoundBase } from './resolve-base.ts';
import { templateSchema } from './schema.ts';
import type { Path, Scope } from './scope.ts';

/** Packages by the names of the family, and the repositories of the catalog that have some of them. */
export interface ResolvedPackages {
  readonly packages: readonly string[];
  /** With the package that asks for it and its place in the template; none where a flag does. */
  readonly repositories: readonly { readonly name: string; readonly path: Path | undefined; readonly package: string }[];
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
  const repositories: { name: string; path: Path | undefined; package: string }[] = [];
  const add = (text: string, path?: Path): void => {
    const native = nameOf(scope, catalog, text, release, arch);
    packages.add(native.name);
    if (native.repository !== undefined) repositories.push({ name: native.repository, path, package: text });
  };
  for (const [i, text] of written.entries()) await scope.attempt(['packages', i], () => add(text, ['packages', i]));
  for (const text of more) add(text);
  return { packages: [...packages], repositories };
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

/**
 * Says, each at its place, which repository of the catalog a package needs and the template lacks. One of the template's own under the same name is as
 * good: a mirror of it, say.
 */
export function requireRepositories(scope: Scope, { repositories }: ResolvedPackages): void {
  const own = new Set((scope.loaded.template.system?.repositories ?? []).map(({ name }) => name));
  for (const { name, path, package: wanted } of repositories) {
    if (own.has(name)) continue;
    const message = `${wanted} comes from the repository ${name}, which the image does not have`;
    const hint = `Add it under \`system\`, \`repositories\` with the name ${name}; \`ingot catalog repositories ${name}\` shows where it is.`;
    if (path === undefined) throw new IngotError('usage', 'repository-needed', message, { hint });
    scope.problem(path, message, hint);
  }
}

function checkPackage(text: string): void {
  if (templateSchema.shape.packages.safeParse([text], { jitless: true }).success) return;
  throw new IngotError('usage', 'package-invalid', `"${text}" is not the name of a package`, { hint: 'Write a name, or name=version.' });
}
