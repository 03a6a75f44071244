import { basename, dirname, join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Files } from '../../base/files.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { CopyRecipe } from '../../plan/layers.ts';
import type { TreeEntry } from '../../template/template.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { ApplyContext } from './apply.ts';

/** Where the tree is inside while it is copied. */
const SOURCE = '/tmp/ingot-copy';

/**
 * tar sets owners before modes, as setuid needs it, and knows the image's own users. Folders that are there already keep their
 * modes and owners, and a folder that is a link stays one: copying into /etc or /lib must not change these.
 */
const COPY = `
new=; if [ ! -d "$2" ]; then new=1; mkdir -p "$2"; fi
tar -C "$1" --owner="$3" --group="$4" -c . | tar -C "$2" -x --same-permissions --touch --no-overwrite-dir --keep-directory-symlink
if [ -n "$new" ] && [ -n "$5" ]; then chown "$3:$4" "$2"; chmod "$5" "$2"; fi`;

/** Copies a file or folder of this host into the image. Throws `input-changed` where it is no longer what the plan saw. */
export async function applyCopy({ place, scratch, context }: ApplyContext, { root }: Workspace, { tree, to, owner }: CopyRecipe): Promise<void> {
  const folder = hostPath(join(scratch, 'copy'));
  const names = (path: string): string => (tree.single ? basename(to) : path);
  await stage(context.host.files, folder, tree.entries, (entry) => ({
    from: tree.single ? tree.root : join(tree.root, entry.path),
    to: join(folder, names(entry.path)),
  }));
  root.bindReadOnly(SOURCE, await place.provide(folder));
  const top = tree.entries.find((entry) => entry.path === '');
  const mode = !tree.single && top?.type === 'folder' ? top.mode.toString(8) : '';
  const [user = 'root', group = user] = owner.split(':');
  await root.run(['bash', '-euo', 'pipefail', '-c', COPY, 'bash', SOURCE, tree.single ? dirname(to) : to, user, group, mode], { timeout: 1800 });
}

/** Copies a tree to a folder of ours, as it was planned. Throws `input-changed` where it is no longer that. */
export async function stage(
  files: Files,
  folder: HostPath,
  entries: readonly TreeEntry[],
  paths: (entry: TreeEntry) => { from: string; to: string },
): Promise<void> {
  await files.makeDirectory(folder);
  for (const entry of entries) {
    const { from, to } = paths(entry);
    if (entry.type === 'folder') await files.makeDirectory(to);
    else if (entry.type === 'link') await files.symlink(entry.target, to);
    else {
      await files.copy(from, to);
      const { hex } = await files.sha256(to);
      if (hex !== entry.sha256) {
        throw new IngotError('conflict', 'input-changed', `${from} changed after it was read`, { hint: 'Run the same command again.' });
      }
      await files.setMode(to, entry.mode);
    }
  }
  // Last, and from the bottom up, since a folder that cannot be written takes no files.
  for (const entry of entries.toReversed()) if (entry.type === 'folder') await files.setMode(paths(entry).to, entry.mode);
}
