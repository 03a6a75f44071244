import { IngotError } from '../../base/errors.ts';
import { writeBootMenu, type GrubMenu } from '../../disk/grub.ts';
import { installLoader } from '../../disk/loader.ts';
import { installPackages } from '../../families/debian/install.ts';
import type { BootMenu, ChangeRecipe } from '../../families/recipe.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { GuestRoot, RunInRootOptions } from '../../workspace/guest-root.ts';
import { runCommand } from './command.ts';
import { applyDownloads } from './downloads.ts';
import { withNetwork } from './network.ts';
import { whileRegistered } from './registration.ts';
import { secretValues } from './secrets.ts';
import type { ApplyContext } from './apply.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** Programs whose call means that the boot menu has to be written anew. */
const MENU_PROGRAMS = ['/usr/sbin/update-grub', '/usr/sbin/update-initramfs'];

/** Makes a layer of a template's own words: packages, files, commands, and the boot menu where kernels or their arguments changed. */
export async function applyChange(apply: ApplyContext, workspace: Workspace, recipe: ChangeRecipe): Promise<void> {
  const { root } = workspace;
  const { install, online = [], registration } = recipe;
  const called: string[] = [];
  if (online.length > 0) {
    called.push(
      ...(await withoutMenu(root, () =>
        withNetwork(apply.place, root, async () => {
          const fetch = async (): Promise<void> => {
            for (const command of online) await runCommand(root, command, { network: true }).catch(unreachable(recipe));
          };
          await (registration === undefined ? fetch() : whileRegistered(apply, root, registration, fetch));
        }),
      )),
    );
  }
  if (install !== undefined) called.push(...(await installPackages(root, install)));
  if (recipe.downloads !== undefined) await applyDownloads(apply, workspace, recipe.downloads);
  if (recipe.files.length > 0) await root.writeFiles(recipe.files);
  for (const command of recipe.commands) {
    const [stdin] = command.secretStdin === undefined ? [] : await secretValues(apply, [command.secretStdin]);
    const options = stdin === undefined ? {} : { stdin };
    if (command.network !== true) await runCommand(root, command, options);
    else called.push(...(await runOnline(apply, root, command, options).catch(unreachable(recipe))));
  }
  if (recipe.loader !== undefined) return await installLoader(workspace, recipe.loader, bootMenuOf(workspace, recipe.menu));
  if (recipe.newMenu || called.some((program) => MENU_PROGRAMS.includes(program))) await changeBootMenu(workspace, recipe.menu);
}

/** What package managers say where no repository answers: apk, dnf (curl), zypper, pacman, apt. */
const UNREACHABLE =
  /temporary error \(try again later\)|\bDNS\b|network error|could ?n.t (resolve|connect)|could not resolve|failed to (connect|resolve)|name resolution|network is unreachable|no route to host|connection (refused|timed out)|cannot download|failed retrieving file/i;

/** Says of a package manager that failed for want of a network what it is. */
function unreachable({ menu }: ChangeRecipe): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof IngotError) || error.code !== 'change-failed' || !UNREACHABLE.test(`${error.message}\n${error.detail ?? ''}`)) throw error;
    throw new IngotError('upstream', 'repositories-unreachable', `The package repositories of ${menu.release} cannot be reached from inside the image`, {
      cause: error,
      detail: error.detail ?? error.message,
      hint: 'Check the network and its proxy. What the image needs comes from the repositories that it names itself; `system.repositories` adds others.',
    });
  };
}

/** Runs a command that may change packages by itself. */
async function runOnline({ place }: ApplyContext, root: GuestRoot, command: GuestCommand, options: Pick<RunInRootOptions, 'stdin'>): Promise<string[]> {
  return await withoutMenu(root, () => withNetwork(place, root, () => runCommand(root, command, { ...options, network: true })));
}

/**
 * Runs what may install kernels. The image's own program for the boot menu, which would name the disk that the root is mounted from, is replaced
 * meanwhile; returned where it was called.
 */
function withoutMenu(root: GuestRoot, work: () => Promise<unknown>): Promise<string[]> {
  return root.withStubs(['/usr/sbin/update-grub'], work);
}

/** What a menu has to say on a disk that others laid out: /boot can be a file system of its own, and the root a subvolume. */
export function bootMenuOf({ partition, mounts }: Pick<Workspace, 'partition' | 'mounts'>, { release, kernelArguments }: BootMenu): GrubMenu {
  const { uuid, subvolume = '' } = partition;
  const separate = mounts.find(({ path }) => path === '/boot');
  const rootArguments = subvolume === '' ? [] : [`rootflags=subvol=${subvolume}`];
  const boot =
    separate !== undefined
      ? { filesystemUuid: separate.partition.uuid, path: separate.subvolume === undefined ? '' : `/${separate.subvolume}` }
      : { filesystemUuid: uuid, path: subvolume === '' ? '/boot' : `/${subvolume}/boot` };
  return { release, filesystemUuid: uuid, kernelArguments: [...rootArguments, ...kernelArguments], boot };
}

/** Writes grub.cfg, and the arguments where the image's own update-grub looks for them. */
export async function changeBootMenu(workspace: Workspace, menu: BootMenu): Promise<void> {
  const { root } = workspace;
  await writeBootMenu(root, bootMenuOf(workspace, menu));
  const { stdout } = await root.run(['cat', '/etc/default/grub']);
  const line = `GRUB_CMDLINE_LINUX="${menu.kernelArguments.join(' ')}"`;
  const content = stdout
    .split('\n')
    .map((text) => (text.startsWith('GRUB_CMDLINE_LINUX=') ? line : text))
    .join('\n');
  if (content !== stdout) await root.writeFiles([{ path: '/etc/default/grub', mode: '0644', content }]);
}
