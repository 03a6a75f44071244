import type { BootstrapRequest, ManagerBootstrap } from '../family.ts';
import { rootFile } from '../changes.ts';
import { rpmDatabase } from '../common/rpm-database.ts';
import { importKeys, keyPath, repositoryFiles } from '../common/rpm-repositories.ts';
import { STYLE } from './repositories.ts';

/**
 * `dnf --installroot` (dnf(8)): repositories and keys are put into the empty root, where they stay, and nothing of the root that holds dnf is read. The
 * paths of `--config` and `reposdir` are that one's. Up to 9, rpm's database was in /var.
 */
export function bootstrap({ root, packages, repositories, arch, version }: BootstrapRequest): ManagerBootstrap {
  const config = '/etc/ingot-bootstrap.conf';
  const machine = arch === 'arm64' ? 'aarch64' : 'x86_64';
  const { files, commands } = rpmDatabase(root, Number.parseInt(version, 10) <= 9 ? '/var/lib/rpm' : '/usr/lib/sysimage/rpm');
  const where = [`--config=${config}`, `--setopt=reposdir=${root}${STYLE.folder}`, `--installroot=${root}`];
  return {
    files: [
      ...files,
      rootFile(config, '[main]\ngpgcheck=1\ninstall_weak_deps=0\nplugins=0\nskip_if_unavailable=0\n'),
      ...repositories.flatMap((repository) => repositoryFiles(repository, STYLE, root)),
      // dnf looks for the keys that a repository's file names outside the root; without them it does not say which key is wrong.
      ...repositories.map(({ name, key }) => rootFile(keyPath(name), `${key.trim()}\n`)),
    ],
    commands: [
      ...commands,
      ...importKeys(repositories, root),
      { label: 'packages', argv: ['dnf', '--assumeyes', ...where, `--releasever=${version}`, `--forcearch=${machine}`, 'install', ...packages] },
      { label: 'caches', argv: ['dnf', ...where, 'clean', 'all'] },
    ],
  };
}
