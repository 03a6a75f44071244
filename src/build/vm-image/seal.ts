import { join } from 'node:path';
import { familyOf } from '../../families/families.ts';
import { usedSeal } from '../../families/used.ts';
import type { Context } from '../../operations/operation.ts';
import { ensureSshKey } from '../../platforms/local/ssh.ts';
import type { ImageDetails } from '../../store/model.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { sealRoot } from '../apply/seal.ts';
import { takeAccess } from './accounts.ts';

/** $1 is the VM's name, which the lab has written here; an image is called as every image of ingot, and each machine has its name from its platform. */
const UNNAME = `
if [ -f /etc/hostname ] && [ "$(cat /etc/hostname)" = "$1" ]; then echo localhost >/etc/hostname; fi
if [ -f /etc/hosts ] && grep -q '^127\\.0\\.1\\.1[[:space:]]' /etc/hosts; then
  others=$(grep -v '^127\\.0\\.1\\.1[[:space:]]' /etc/hosts || true)
  printf '%s\\n' "$others" >/etc/hosts
fi
`;

/** Seconds for telling the disk which of its blocks are free. */
const TRIM_SECONDS = 600;

/**
 * Makes a golden image of a VM's disk that is open: what identifies the machine or belongs to its life goes, and who may log in, but for those whom
 * its image lets in. Says what was taken. What was deleted is given back to the disk too, so that nobody reads it there.
 */
export async function sealMachine(context: Pick<Context, 'host' | 'home' | 'events'>, workspace: Workspace, vm: string, image: ImageDetails): Promise<void> {
  const { host, home, events } = context;
  const { root } = workspace;
  await sealRoot(root, usedSeal(familyOf(image.family)));
  const accounts = image.guest?.accounts ?? [];
  const labKey = (await ensureSshKey(host, home)).publicKey.split(' ')[1] ?? '';
  const taken = await takeAccess(root, {
    keys: accounts.flatMap(({ name, keys }) => (keys ? [name] : [])),
    passwords: accounts.flatMap(({ name, password }) => (password ? [name] : [])),
    labKey,
  });
  if (image.guest?.hostname === undefined) await root.run(['sh', '-ec', UNNAME, 'sh', vm], { quiet: true });
  const said = [listed('SSH keys of', taken.keys), listed('the password of', taken.passwords)].filter((text) => text !== undefined);
  if (said.length > 0) events.message('info', `Not in the image: ${said.join(', and ')}. Each machine made from it gets its own from cloud-init.`);
  if (taken.privateKeys.length > 0) events.message('warn', `Private SSH keys are in the image: ${taken.privateKeys.slice(0, 5).join(', ')}`);
  for (const folder of [root.path, ...workspace.mounts.map(({ path }) => join(root.path, path))]) {
    // Where it cannot be done, the image is larger, and no less an image.
    await workspace.executor
      .run(['fstrim', folder], { timeout: TRIM_SECONDS })
      .catch((error: unknown) => events.message('debug', `Free blocks of ${folder} stay in the image: ${String(error)}`));
  }
}

function listed(what: string, names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `${what} ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' …' : ''}`;
}
