import { IngotError } from '../base/errors.ts';
import type { Release } from '../catalog/schema.ts';
import { loadPackages, nativePackage } from '../catalog/packages.ts';
import { roleContent, type RoleNeeds } from '../roles/content.ts';
import { findRole, isRolePath, roleAt, roleNamed } from '../roles/find.ts';
import { loadRole } from '../roles/load.ts';
import { parameterValues } from '../roles/parameters.ts';
import { inOrder, relationProblems } from '../roles/relations.ts';
import type { Role, RoleContent } from '../roles/role.ts';
import { releaseOf, type FoundBase } from './resolve-base.ts';
import { neededRepository } from './resolve-repositories.ts';
import type { Template } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import type { ResolvedRole } from './template.ts';
import type { VariableValue } from './variables-schema.ts';

/** A role that is wanted: where the template says so, and with which parameters. */
interface Wanted {
  readonly path: Path;
  /** Where each parameter is written. */
  readonly places: ReadonlyMap<string, Path>;
  readonly role: Role;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/**
 * The roles of the template, then those of the flags, each once; parameters of one that is named again are joined. Roles that others require come before
 * them. What is wrong with a name, a parameter, or roles together is a problem at its place in the template.
 */
export async function resolveRoles(scope: Scope, more: readonly string[], found: FoundBase | undefined, arch: string): Promise<ResolvedRole[]> {
  const wanted = new Map<string, Wanted>();
  const add = (path: Path, parameterPath: Path, role: Role, parameters: Readonly<Record<string, unknown>>): void => {
    const known = wanted.get(role.head.role);
    const places = new Map([...(known?.places ?? []), ...Object.keys(parameters).map((name): [string, Path] => [name, [...parameterPath, name]])]);
    wanted.set(role.head.role, { path, places, role, parameters: { ...known?.parameters, ...parameters } });
  };
  for (const [i, item] of scope.loaded.template.roles.entries()) {
    const { path, parameterPath, parameters } = wordsOf(item, i);
    const role = await scope.attempt(path, () => roleOf(scope, item, path));
    if (role !== undefined) add(path, parameterPath, role, parameters);
  }
  for (const text of more) {
    const role = await roleNamed(scope.context, scope.catalog, text);
    if (!wanted.has(role.head.role)) add(['roles'], ['roles'], role, {});
  }
  const release = releaseOf(scope, found);
  if (found !== undefined) checkTogether(scope, [...wanted.values()], found);
  const resolved: ResolvedRole[] = [];
  const failures: unknown[] = [];
  for (const name of inOrder([...wanted.values()].map(({ role }) => role.head))) {
    const one = wanted.get(name);
    // One that cannot be fetched hides nothing of what is wrong with the others.
    const content =
      one === undefined || release === undefined ? undefined : await contentOf(scope, one, release, arch).catch((error: unknown) => void failures.push(error));
    if (one !== undefined && content !== undefined) resolved.push({ name, version: one.role.head.version, content });
  }
  if (failures.length > 0) throw failures[0];
  return resolved;
}

function wordsOf(
  item: Template['roles'][number],
  i: number,
): { readonly path: Path; readonly parameterPath: Path; readonly parameters: Readonly<Record<string, unknown>> } {
  if (typeof item === 'string') return { path: ['roles', i], parameterPath: ['roles', i], parameters: {} };
  if (isGit(item)) return { path: ['roles', i], parameterPath: ['roles', i, 'parameters'], parameters: item.parameters };
  const [name = '', parameters = {}] = Object.entries(item)[0] ?? [];
  return { path: ['roles', i, name], parameterPath: ['roles', i, name], parameters };
}

type GitUse = Extract<Template['roles'][number], { git: string; commit: string }>;

function isGit(item: Template['roles'][number]): item is GitUse {
  return typeof item === 'object' && typeof item['git'] === 'string';
}

async function roleOf(scope: Scope, item: Template['roles'][number], path: Path): Promise<Role | undefined> {
  const { context } = scope;
  if (isGit(item)) {
    const { readGitRole } = await import('../roles/git.ts');
    return loadRole(await readGitRole(context, item, scope.offline), context.folder);
  }
  const name = typeof item === 'string' ? item : (Object.keys(item)[0] ?? '');
  if (!isRolePath(name)) return await findRole(context, scope.catalog, name);
  const at = await scope.fileAt(path, name);
  return at === undefined ? undefined : await roleAt(context, at.path);
}

function checkTogether(scope: Scope, wanted: readonly Wanted[], { image }: FoundBase): void {
  const below = image?.['dev.ingot.image'].layers.flatMap(({ kind, name }) => (kind === 'role' ? [name] : [])) ?? [];
  for (const { role, message, hint } of relationProblems(
    wanted.map((one) => one.role.head),
    below,
  )) {
    scope.problem(wanted.find((one) => one.role.head.role === role)?.path ?? ['roles'], message, hint);
  }
}

async function contentOf(scope: Scope, one: Wanted, release: Release, arch: string): Promise<RoleContent | undefined> {
  const { role, path, parameters, places } = one;
  const { head } = role;
  const { values, faults } = parameterValues(head, parameters);
  for (const { name, error } of faults) {
    await scope.attempt((name === undefined ? undefined : places.get(name)) ?? path, () => {
      throw error;
    });
  }
  const supported = await scope.attempt(path, () => {
    checkSupport(role, release);
    return true;
  });
  if (faults.length > 0 || supported === undefined) return undefined;
  const facts = { family: release.family, release: release.id, distribution: release.distribution, arch };
  return await scope.attempt(path, async () => roleContent(role, facts, values, await needsOf(scope, one, release, arch, values)));
}

/** Throws `role-unsupported` where the role cannot be in images of that release. */
export function checkSupport({ head }: Role, release: Pick<Release, 'id' | 'family'>): void {
  if (!head.families.includes(release.family)) {
    throw new IngotError('usage', 'role-unsupported', `The role ${head.role} is not there for the ${release.family} family`, {
      hint: `It is there for ${head.families.join(', ')}.`,
    });
  }
  const reason = head.except[release.id];
  if (reason !== undefined) throw new IngotError('usage', 'role-unsupported', `The role ${head.role} is not there for ${release.id}: ${reason}`);
}

async function needsOf(scope: Scope, { path }: Wanted, release: Release, arch: string, values: ReadonlyMap<string, VariableValue>): Promise<RoleNeeds> {
  const packages = await loadPackages();
  return {
    native: (name) => nativePackage(packages, name, release, arch),
    repository: (repository) => neededRepository(scope, repository, release, arch, values),
    async secret(name) {
      const use = await scope.secretAt(path, name);
      if (use === undefined) throw new IngotError('not-found', 'secret-unknown', `There is no secret "${name}"`);
      return use;
    },
  };
}
