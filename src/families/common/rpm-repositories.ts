import { IngotError } from '../../base/errors.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { PackageRepository } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import { rootFile } from '../changes.ts';

/** What the families that use rpm say differently of a repository. */
export interface RepositoryStyle {
  /** Where its file goes. */
  readonly folder: string;
  /** Further lines of its section. */
  readonly lines: readonly string[];
}

const KEYS = '/etc/pki/rpm-gpg';

/** Where the key of a repository is in the image. */
export const keyPath = (name: string): string => `${KEYS}/RPM-GPG-KEY-ingot-${name}`;

/**
 * A repository's file with signature checks on, and its key. `root` is a folder in which they go instead of the image's own root. Throws
 * `repository-invalid`.
 */
export function repositoryFiles(repository: PackageRepository, style: RepositoryStyle, root = ''): RootFile[] {
  const { name, uri, key } = repository;
  check(repository);
  const lines = [`[${name}]`, `name=${name}`, `baseurl=${uri}`, 'enabled=1', 'gpgcheck=1', `gpgkey=file://${keyPath(name)}`, ...style.lines, ''];
  return [rootFile(`${root}${keyPath(name)}`, `${key.trim()}\n`), rootFile(`${root}${style.folder}/${name}.repo`, lines.join('\n'))];
}

/** rpm trusts a key that is in its own database. */
export function importKeys(repositories: readonly PackageRepository[], root = ''): GuestCommand[] {
  return repositories.map(({ name }) => ({
    label: `key of ${name}`,
    argv: ['rpmkeys', ...(root === '' ? [] : ['--root', root]), '--import', `${root}${keyPath(name)}`],
  }));
}

function check({ name, uri, suites, key }: PackageRepository): void {
  const fault = (what: string, hint?: string): IngotError =>
    new IngotError('usage', 'repository-invalid', `The package repository ${name} ${what}`, hint === undefined ? {} : { hint });
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) throw fault('has a name that its file cannot have');
  if (suites.length > 0) throw fault('has suites, which only apt knows', 'Leave `suites` and `components` away: `uri` is the folder in which repodata is.');
  if (!key.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) throw fault('has a key that is no armored OpenPGP public key');
  if (!/^[\x21-\x7e]+$/.test(uri)) throw fault('has an address with a space or a special character');
}
