import type { BootstrapRequest, ManagerBootstrap } from '../family.ts';
import { rpmDatabase } from '../common/rpm-database.ts';
import { importKeys, repositoryFiles } from '../common/rpm-repositories.ts';
import { shell } from '../common/shell.ts';
import { STYLE } from './repositories.ts';

/** What is not confirmed, since nobody can be asked, ends it: unknown keys, unsigned indexes and packages. */
const ZYPPER = String.raw`
root=$1 version=$2
shift 2
zypper --root "$root" --releasever "$version" --non-interactive refresh
zypper --root "$root" --releasever "$version" --non-interactive install --no-recommends --auto-agree-with-licenses "$@"
zypper --root "$root" --non-interactive clean --all
`;

/** `zypper --root` (zypper(8)): repositories and keys are put into the empty root, where they stay, and are read from there. */
export function bootstrap({ root, packages, repositories, version }: BootstrapRequest): ManagerBootstrap {
  const { files, commands } = rpmDatabase(root, '/usr/lib/sysimage/rpm');
  return {
    files: [...files, ...repositories.flatMap((repository) => repositoryFiles(repository, STYLE, root))],
    commands: [...commands, ...importKeys(repositories, root), shell('packages', ZYPPER, root, version, ...packages)],
  };
}
