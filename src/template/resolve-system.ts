import { posix } from 'node:path';
import { certificates, repositoryKey, sshKeys, type Checked } from './key-text.ts';
import { systemSchema, type TemplateSystem, type TemplateUser } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import type { PackageRepository, ResolvedSystem, ResolvedUser } from './template.ts';
import type { TextFrom } from './text.ts';

/** The users with their keys read. */
export async function resolveUsers(scope: Scope): Promise<ResolvedUser[]> {
  const { users } = scope.loaded.template;
  for (const [i, { name }] of users.entries()) {
    if (users.findIndex((other) => other.name === name) !== i) scope.problem(['users', i, 'name'], `${name} is there twice`);
  }
  return await Promise.all(users.map((user, i) => resolveUser(scope, user, ['users', i])));
}

async function resolveUser(scope: Scope, user: TemplateUser, path: Path): Promise<ResolvedUser> {
  const { 'ssh-keys': keys, 'password-hash': password, ...rest } = user;
  const read = await Promise.all(keys.map((from, i) => checkedText(scope, [...path, 'ssh-keys', i], from, (bytes) => sshKeys(textOf(bytes)))));
  const passwordHash = password === undefined ? undefined : await scope.secretAt([...path, 'password-hash', 'secret'], password.secret);
  return { ...rest, sshKeys: [...new Set(read.flatMap((some) => some ?? []))], ...(passwordHash === undefined ? {} : { passwordHash }) };
}

const NO_SYSTEM: TemplateSystem = systemSchema.parse({}, { jitless: true });

/** The system section with its certificates and keys read. */
export async function resolveSystem(scope: Scope): Promise<ResolvedSystem> {
  const { 'trusted-ca': authorities, repositories, 'ubuntu-pro': pro, ...rest } = scope.loaded.template.system ?? NO_SYSTEM;
  const [trusted, packageRepositories, token] = await Promise.all([
    Promise.all(authorities.map((from, i) => checkedText(scope, ['system', 'trusted-ca', i], from, (bytes) => certificates(textOf(bytes))))),
    Promise.all(repositories.map((repository, i) => resolveRepository(scope, repository, ['system', 'repositories', i]))),
    pro === undefined ? undefined : scope.secretAt(['system', 'ubuntu-pro', 'token', 'secret'], pro.token.secret),
  ]);
  return {
    ...rest,
    ...(pro === undefined || token === undefined ? {} : { ubuntuPro: { token, services: pro.services } }),
    trustedCa: [...new Set(trusted.flatMap((some) => some ?? []))],
    repositories: packageRepositories.filter((repository) => repository !== undefined),
  };
}

async function resolveRepository(scope: Scope, repository: TemplateSystem['repositories'][number], path: Path): Promise<PackageRepository | undefined> {
  const { key: from, 'key-name': given, ...rest } = repository;
  const key = await checkedText(scope, [...path, 'key'], from, repositoryKey);
  const keyName = given ?? nameOfKey(from);
  return key === undefined ? undefined : { ...rest, key, ...(keyName === undefined ? {} : { keyName }) };
}

/** What the file or address of a key calls it, where that is a name that apk would know. */
function nameOfKey(from: TextFrom): string | undefined {
  if (typeof from === 'string') return undefined;
  const name = 'file' in from ? posix.basename(from.file) : posix.basename(new URL(from.url).pathname);
  return name.endsWith('.rsa.pub') ? decodeURIComponent(name) : undefined;
}

async function checkedText<T>(scope: Scope, path: Path, from: TextFrom, check: (bytes: Uint8Array) => Checked<T>): Promise<T | undefined> {
  const bytes = await scope.textAt(path, from);
  if (bytes === undefined) return undefined;
  const checked = check(bytes);
  if ('value' in checked) return checked.value;
  scope.problem(path, checked.message, undefined, { confidential: true });
  return undefined;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
