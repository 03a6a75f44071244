import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { PackageInstallation } from '../recipe.ts';
import { configurePending, configurePossible, refuseBroken, unpackInOrder } from '../../sources/bootstrap/dpkg.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';

/**
 * Adds packages that lie in the root's package folder to a system that runs already, without starting anything. What every package would do anew
 * (initramfs, byte code) is done once at the end, and only where it was asked for. Returns the deferred programs that were called.
 */
export async function installPackages(root: GuestRoot, installation: PackageInstallation): Promise<string[]> {
  const { packages, remove, deferred } = installation;
  await root.writeFiles(installation.filesBefore);
  const programs = deferred.map(({ program }) => program);
  const purge = ['dpkg', '--force-depends', '--force-unsafe-io', '--purge', ...remove] as const;
  const removing = remove.length === 0 ? [] : await root.withStubs(programs, () => root.run(purge));
  const early: string[] = [];
  const configureEarly = async (): Promise<void> => void early.push(...(await root.withStubs(programs, () => configurePossible(root))));
  // No stubs while unpacking: a new version replaces the program.
  if (packages.length > 0) await unpackInOrder(root, installation, packages, configureEarly);
  const configuring = await root.withStubs(programs, () => configurePending(root));
  const called = programs.filter((program) => [removing, early, configuring].some((each) => each.includes(program)));
  for (const { program, once } of deferred) if (once !== undefined && called.includes(program)) await root.run(once.argv);
  await refuseBroken(root);
  return called;
}

/** apt-get that asks nothing, keeps changed configuration files, and installs no more than is needed. */
export const APT = ['apt-get', '--yes', '--quiet', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'] as const;
export const LISTS: GuestCommand = { label: 'package lists', argv: ['apt-get', '--quiet', '--error-on=any', 'update'] };

export function install(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [LISTS, { label: 'install', argv: [...APT, 'install', ...packages] }];
}

export function remove(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [{ label: 'remove', argv: [...APT, 'purge', '--autoremove', ...packages] }];
}
