import { IngotError } from '../../base/errors.ts';
import type { PackageRepository } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';

/**
 * Package sources in deb822, each with its own key (sources.list(5)); in place before packages are resolved and installed. Throws
 * `repository-invalid`.
 */
export function repositoryChanges(repositories: readonly PackageRepository[]): Changes {
  const files = repositories.flatMap((repository) => {
    const key = `/etc/apt/keyrings/${repository.name}.asc`;
    return [rootFile(key, `${repository.key.trim()}\n`), rootFile(`/etc/apt/sources.list.d/${repository.name}.sources`, sources(repository, key))];
  });
  return { ...NOTHING, files };
}

function sources({ name, uri, suites, components, key }: PackageRepository, keyPath: string): string {
  const fault = (what: string): IngotError => new IngotError('usage', 'repository-invalid', `The package repository ${name} ${what}`);
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name) || name === 'debian') throw fault('has a name that its file cannot have');
  if (suites.length === 0) throw fault('has no suites, which apt needs; `./` stands for a flat one');
  // apt ignores a key file that it cannot read, and then says only that the repository is not signed.
  if (!key.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) throw fault('has a key that is no armored OpenPGP public key');
  const words = [uri, ...suites, ...components];
  if (words.some((word) => !/^[\x21-\x7e]+$/.test(word))) throw fault('has an address, suite or component with a space or a special character');
  const flat = suites.some((suite) => suite.endsWith('/'));
  return [
    'Types: deb',
    `URIs: ${uri}`,
    `Suites: ${suites.join(' ')}`,
    // A suite that is a path has no components.
    ...(flat ? [] : [`Components: ${components.join(' ')}`]),
    `Signed-By: ${keyPath}`,
    '',
  ].join('\n');
}
