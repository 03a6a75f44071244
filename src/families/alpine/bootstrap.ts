import { MACHINES } from '../common/machines.ts';
import type { BootstrapRequest, ManagerBootstrap } from '../family.ts';
import { APK } from './install.ts';
import { repositoryChanges } from './repositories.ts';

/**
 * An empty root by apk: its repositories and keys are put there first, and hold in it afterwards. The packages have to name `alpine-baselayout` and what
 * a system needs besides, such as `alpine-base`.
 */
export function bootstrap({ root, packages, repositories, arch }: BootstrapRequest): ManagerBootstrap {
  const apk = [...APK, '--root', root, '--arch', MACHINES[arch] ?? arch] as const;
  return {
    files: repositoryChanges(repositories).files.map((file) => ({ ...file, path: `${root}${file.path}` })),
    commands: [
      { label: 'empty database', argv: [...apk, '--initdb', 'add'] },
      { label: 'package indexes', argv: [...apk, 'update'] },
      { label: 'packages', argv: [...apk, 'add', ...packages] },
    ],
  };
}
