import { IngotError } from '../../base/errors.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';
import { insidePath } from './package-folder.ts';
import type { BootstrapRecipe, ResolvedPackage } from './recipe.ts';

/** Unpacks packages of the root's package folder in whatever order they have, with the filters of a recipe; nothing is configured, no trigger runs. */
export async function unpack(
  root: GuestRoot,
  { exclude, include }: Pick<BootstrapRecipe, 'exclude' | 'include'>,
  packages: readonly ResolvedPackage[],
): Promise<void> {
  const filters = [...exclude.map((pattern) => `--path-exclude=${pattern}`), ...include.map((pattern) => `--path-include=${pattern}`)];
  await root.run(['dpkg', '--force-unsafe-io', ...filters, '--force-depends', '--no-triggers', '--unpack', ...packages.map(insidePath)]);
}

/** Configures all that is unpacked; a changed configuration file stays as it is. */
export async function configurePending(root: GuestRoot): Promise<void> {
  await root.run(['dpkg', '--force-unsafe-io', '--force-confold', '--configure', '--pending']);
}

/** Throws `packages-broken` where dpkg finds a package that is not installed completely. */
export async function refuseBroken(root: GuestRoot): Promise<void> {
  const { stdout } = await root.run(['dpkg', '--audit']);
  if (stdout.trim() !== '') throw new IngotError('command', 'packages-broken', 'Some packages were not installed completely', { detail: stdout.trim() });
}
