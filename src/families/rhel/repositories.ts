import type { PackageRepository } from '../../template/template.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { importKeys, repositoryFiles, type RepositoryStyle } from '../common/rpm-repositories.ts';

/** A repository that is gone is an error, as opposed to packages that seem not to be there. */
export const STYLE: RepositoryStyle = { folder: '/etc/yum.repos.d', lines: ['skip_if_unavailable=0'] };

/** Further repositories (dnf.conf(5)), and their keys in rpm's database. Throws `repository-invalid`. */
export function repositoryChanges(list: readonly PackageRepository[]): Changes {
  return { ...NOTHING, files: list.flatMap((repository) => repositoryFiles(repository, STYLE)), commands: importKeys(list) };
}
