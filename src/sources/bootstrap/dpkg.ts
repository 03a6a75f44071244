import { IngotError } from '../../base/errors.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';
import { insidePath } from './package-folder.ts';
import type { BootstrapRecipe, ResolvedPackage } from './recipe.ts';

type Filters = Pick<BootstrapRecipe, 'exclude' | 'include'>;

/** Unpacks packages of the root's package folder in whatever order they have, with the filters of a recipe; nothing is configured, no trigger runs. */
export async function unpack(root: GuestRoot, filters: Filters, packages: readonly ResolvedPackage[]): Promise<void> {
  await root.run([...unpacking(filters), '--force-depends', '--unpack', ...packages.map(insidePath)]);
}

/**
 * The same on a system that is there already, where scripts that run before unpacking may use what their packages pre-depend on: a package whose
 * pre-dependencies come with it waits, and `configure` is called for what is unpacked so far.
 */
export async function unpackInOrder(root: GuestRoot, filters: Filters, packages: readonly ResolvedPackage[], configure: () => Promise<unknown>): Promise<void> {
  let waiting = packages.map(insidePath);
  for (;;) {
    const argv = [...unpacking(filters), '--auto-deconfigure', `--abort-after=${packages.length + 1}`, '--unpack', ...waiting] as const;
    const { exitCode, stderr } = await root.run(argv, { accept: [1] });
    if (exitCode === 0) return;
    const refused = refusedArchives(stderr);
    // Nothing got further, or something else is wrong: the same again is the error.
    if (refused.early.length === 0 || refused.early.length >= waiting.length || refused.other > 0) await root.run(argv);
    waiting = refused.early;
    await configure();
  }
}

/** Which archives dpkg did not unpack since a package that they pre-depend on is not configured yet, and how many for another reason. */
export function refusedArchives(stderr: string): { readonly early: string[]; readonly other: number } {
  const errors = [...stderr.matchAll(/^dpkg: error processing archive (\S+) \(--unpack\):\n(.*)$/gm)];
  const early = errors.flatMap(([, path, reason]) => (path !== undefined && reason?.includes('pre-dependency problem') === true ? [path] : []));
  return { early, other: errors.length - early.length };
}

function unpacking({ exclude, include }: Filters): ['dpkg', ...string[]] {
  const filters = [...exclude.map((pattern) => `--path-exclude=${pattern}`), ...include.map((pattern) => `--path-include=${pattern}`)];
  return ['dpkg', '--force-unsafe-io', ...filters, '--no-triggers'];
}

/** Configures all that is unpacked; a changed configuration file stays as it is. */
export async function configurePending(root: GuestRoot): Promise<void> {
  await root.run(['dpkg', '--force-unsafe-io', '--force-confold', '--configure', '--pending']);
}

/** Configures what can be of all that is unpacked; the rest waits for packages that are not. */
export async function configurePossible(root: GuestRoot): Promise<void> {
  await root.run(['dpkg', '--force-unsafe-io', '--force-confold', '--configure', '--pending'], { accept: [1] });
}

/** Throws `packages-broken` where dpkg finds a package that is not installed completely. */
export async function refuseBroken(root: GuestRoot): Promise<void> {
  const { stdout } = await root.run(['dpkg', '--audit']);
  if (stdout.trim() !== '') throw new IngotError('command', 'packages-broken', 'Some packages were not installed completely', { detail: stdout.trim() });
}
