import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { Seal } from '../../families/recipe.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';
import { runCommand } from './command.ts';

/** The end of every layer: the last commands, then what no golden image holds is taken away. */
export async function sealRoot(root: GuestRoot, { last = [], seal }: { readonly last?: readonly GuestCommand[]; readonly seal: Seal }): Promise<void> {
  for (const command of last) await runCommand(root, command);
  await root.seal(seal.remove, seal.truncate, seal.emptyFolders);
}
