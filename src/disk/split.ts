import type { Executor } from '../workspace/executor.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';

/**
 * Moves what is below a mount point out of a root into a folder beside it, and leaves an empty folder with the same
 * owner and mode. A mount point that is missing is made; one that is reached through a link is an error, since it
 * would lead out of the root.
 */
const SCRIPT = `
root=$(realpath -e -- "$1") point=$root$2
if [ "$(realpath -m -- "$point")" != "$point" ]; then echo "$2 is reached through a link" >&2; exit 1; fi
mkdir -p -- "$point"
mv -T -- "$point" "$3"
mkdir -- "$point"
chown --reference="$3" -- "$point"
chmod --reference="$3" -- "$point"
touch --reference="$3" -- "$point"
`;

/** Takes the trees of mount points (outer ones first) out of a root. Returns where each is now, as the executor sees it. */
export async function splitTree(executor: Executor, root: GuestRoot, mounts: readonly string[]): Promise<Map<string, string>> {
  const trees = new Map<string, string>();
  // What is mounted within another goes first: the outer tree then has its empty mount point.
  for (const [i, mount] of mounts.entries().toArray().toReversed()) {
    const tree = `${root.path}.part${i}`;
    await executor.run(['sh', '-ec', SCRIPT, 'sh', root.path, mount, tree]);
    trees.set(mount, tree);
  }
  return trees;
}
