import { describe, expect, test } from 'vitest';
import { findRelease } from '../../catalog/catalog.ts';
import { readCatalogFolder } from '../../catalog/folder.ts';
import { planDisk, type DiskRequest } from '../../disk/layout.ts';
import { mountsOf } from '../../workspace/partitions.ts';
import { fstab } from './fstab.ts';
import { basePackages } from './packages.ts';
import { debianRecipe } from './recipe.ts';

const release = findRelease(await readCatalogFolder(), 'debian-12');
const GIB = 2 ** 30;

function recipeOf(changes: Partial<DiskRequest>) {
  const request: DiskRequest = { size: 8 * GIB, filesystem: 'ext4', arch: 'amd64', seed: 'x', ...changes };
  const options = { ...request, kernel: 'cloud' } as const;
  return { recipe: debianRecipe(release, options, [], planDisk(request)), packages: basePackages(release, options) };
}
const file = ({ recipe }: ReturnType<typeof recipeOf>, path: string): string | undefined => recipe.files.find((each) => each.path === path)?.content;

describe('a disk profile', () => {
  test('of one firmware has neither packages nor boot files of the other', () => {
    const bios = recipeOf({ firmware: 'bios' });
    expect(bios.packages).toContain('grub-pc-bin');
    expect(bios.packages.filter((name) => /efi|shim/.test(name))).toEqual([]);
    expect(bios.recipe.boot).toMatchObject({ efi: {}, bios: { platform: 'i386-pc' } });
    expect(file(bios, '/etc/fstab')).not.toContain('/boot/efi');
    const uefi = recipeOf({ firmware: 'uefi' });
    expect(uefi.packages).not.toContain('grub-pc-bin');
    expect(uefi.recipe.boot.bios).toBeUndefined();
    expect(uefi.recipe.boot.efiConfig?.path).toBe('EFI/debian/grub.cfg');
    expect(recipeOf({ firmware: 'both' })).toEqual(recipeOf({}));
  });

  test('with partitions has an fstab that workspaces read the same way', () => {
    const disk = planDisk({
      ...{ size: 8 * GIB, filesystem: 'ext4', arch: 'amd64', seed: 'x' },
      partitions: [
        { mount: '/var/log', size: GIB, filesystem: 'xfs' },
        { mount: '/var', size: GIB, filesystem: 'ext4' },
      ],
    });
    const partitions = [...(disk.mounts ?? []), { ...disk.root, filesystem: disk.filesystem, filesystemUuid: disk.filesystemUuid }].map((each) => ({
      start: each.start,
      size: each.size,
      filesystem: each.filesystem,
      uuid: each.filesystemUuid,
    }));
    expect(mountsOf(fstab(disk), partitions).map(({ path }) => path)).toEqual(['/var', '/var/log']);
  });

  test('brings the tools of all its file systems', () => {
    const { packages } = recipeOf({ partitions: [{ mount: '/srv', size: GIB, filesystem: 'xfs' }], lvm: true });
    expect(packages).toEqual(expect.arrayContaining(['e2fsprogs', 'xfsprogs', 'lvm2']));
    expect(recipeOf({ filesystem: 'btrfs', swap: GIB }).packages).toEqual(expect.arrayContaining(['btrfs-progs', 'e2fsprogs']));
  });

  test('with a swap file makes it once the root has grown, and takes nothing of the image', () => {
    const swap = recipeOf({ swap: GIB, lvm: true });
    const unit = file(swap, '/etc/systemd/system/ingot-swap.service');
    expect(unit).toMatch(/^After=cloud-init\.service .*ingot-grow-root\.service$/m);
    expect(unit).toContain(`/swapfile ${GIB}`);
    expect(swap.recipe.commands.at(-1)?.argv).toEqual(['systemctl', 'enable', 'ingot-grow-root.service', 'ingot-swap.service']);
    expect(swap.recipe.disk.root.size).toBe(recipeOf({ lvm: true }).recipe.disk.root.size);
  });

  test('with a logical volume boots from it', () => {
    const { recipe } = recipeOf({ lvm: true });
    expect(recipe.boot.bios?.modules).toContain('lvm');
    expect(recipe.boot.efiConfig?.content).toMatch(/^insmod lvm\n/);
    expect(recipe.filesBefore.find(({ path }) => path.endsWith('/hooks/ingot'))?.content).toContain('dm_mod');
  });

  test('that asks for nothing adds nothing', () => {
    const { recipe } = recipeOf({});
    expect(recipe.files.filter(({ path }) => path.includes('ingot-'))).toEqual([]);
    expect(Object.keys(recipe.disk).toSorted()).toEqual(['biosBoot', 'efi', 'efiSerial', 'filesystem', 'filesystemUuid', 'root', 'size', 'uuid']);
  });
});
