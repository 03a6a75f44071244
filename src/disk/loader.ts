import type { Workspace } from '../workspace/workspace.ts';
import { copyModules, grubImage, grubMenu, writeBootMenu, type GrubMenu } from './grub.ts';
import { PARTITION_TYPES } from './layout.ts';
import type { LoaderRecipe } from './recipe.ts';
import { fillEfi, putEfiFile, writeBiosBoot } from './write.ts';

/** Puts a boot loader on an opened disk of ingot's own layout, whose root has its packages by now, and writes its menu. */
export async function installLoader(
  { root, executor, disk, parts, partition }: Pick<Workspace, 'root' | 'executor' | 'disk' | 'parts' | 'partition'>,
  loader: LoaderRecipe,
  menu: GrubMenu,
): Promise<void> {
  const biosBoot = parts.find(({ type }) => type === PARTITION_TYPES.biosBoot);
  await writeBiosBoot(executor, root, { disk: { biosBoot, filesystemUuid: partition.uuid }, boot: loader }, disk);
  const efi = parts.find(({ type }) => type === PARTITION_TYPES.efi);
  if (efi !== undefined) {
    const at = `${disk}@@${efi.start}`;
    await fillEfi(executor, root, at, loader);
    if (loader.efiImage !== undefined) {
      const { path, platform, modules } = loader.efiImage;
      const image = await root.scratchFile('grub.efi', await grubImage(root, { platform, modules }, partition.uuid), '600', 'base64');
      await putEfiFile(executor, at, image, path);
      await copyModules(root, platform);
    }
  }
  if (loader.kernels === undefined) await writeBootMenu(root, menu);
  else await root.writeFiles([{ path: '/boot/grub/grub.cfg', mode: '0644', content: grubMenu(loader.kernels, menu) }]);
  // The partitions were written to through the disk itself, not through a file system that is unmounted.
  await executor.run(['sync', disk]);
}
