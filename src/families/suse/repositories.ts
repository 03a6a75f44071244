import type { PackageRepository } from '../../template/template.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { importKeys, repositoryFiles, type RepositoryStyle } from '../common/rpm-repositories.ts';

/** libzypp checks the index's signature, and with it the packages' hashes; `pkg_gpgcheck` has it check the packages' own signatures besides (zypp.conf). */
export const STYLE: RepositoryStyle = { folder: '/etc/zypp/repos.d', lines: ['autorefresh=1', 'type=rpm-md', 'repo_gpgcheck=1', 'pkg_gpgcheck=1'] };

/** Further repositories, and their keys in rpm's database, from where libzypp takes those it trusts. Throws `repository-invalid`. */
export function repositoryChanges(list: readonly PackageRepository[]): Changes {
  return { ...NOTHING, files: list.flatMap((repository) => repositoryFiles(repository, STYLE)), commands: importKeys(list) };
}
