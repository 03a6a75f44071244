import { IngotError } from '../../base/errors.ts';
import type { PackageInstallation } from '../recipe.ts';
import { insidePath } from '../../sources/bootstrap/package-folder.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';

/**
 * Adds packages that lie in the root's package folder to a system that runs already, without starting anything. What every package would do anew
 * (initramfs, byte code) is done once at the end, and only where it was asked for. Returns the deferred programs that were called.
 */
export async function installPackages(root: GuestRoot, installation: PackageInstallation): Promise<string[]> {
  const { packages, remove, deferred } = installation;
  const paths = packages.map(insidePath);
  const filters = [
    ...installation.exclude.map((pattern) => `--path-exclude=${pattern}`),
    ...installation.include.map((pattern) => `--path-include=${pattern}`),
  ];
  await root.writeFiles(installation.filesBefore);
  const programs = deferred.map(({ program }) => program);
  const purge = ['dpkg', '--force-depends', '--force-unsafe-io', '--purge', ...remove] as const;
  const removing = remove.length === 0 ? [] : await root.withStubs(programs, () => root.run(purge));
  // The list was resolved as a whole, so the order within it does not matter to the result. No stubs yet: a new version replaces the program.
  if (paths.length > 0) await root.run(['dpkg', '--force-unsafe-io', '--force-depends', '--no-triggers', ...filters, '--unpack', ...paths]);
  const configuring = await root.withStubs(programs, () => root.run(['dpkg', '--force-unsafe-io', '--force-confold', '--configure', '--pending']));
  const called = programs.filter((program) => removing.includes(program) || configuring.includes(program));
  for (const { program, once } of deferred) if (once !== undefined && called.includes(program)) await root.run(once.argv);
  const { stdout } = await root.run(['dpkg', '--audit']);
  if (stdout.trim() !== '') throw new IngotError('command', 'packages-broken', 'Some packages were not installed completely', { detail: stdout.trim() });
  return called;
}
