import type { MenuEntry } from './grub.ts';
import type { DiskLayout } from './layout.ts';

/** What turns a root into a bootable disk. */
export interface DiskRecipe {
  /** The release's name, shown in the boot menu. */
  readonly release: string;
  readonly disk: DiskLayout;
  readonly ext4Features: readonly string[];
  readonly boot: BootRecipe;
}

/** A boot loader for a disk that has its partitions, its root and GRUB's packages in it. */
export interface LoaderRecipe extends Pick<BootRecipe, 'bios' | 'efi' | 'efiConfig'> {
  /** GRUB for UEFI that the root's own grub-mkimage makes, where none is signed: its path on the EFI system partition. */
  readonly efiImage?: { readonly path: string; readonly platform: string; readonly modules: readonly string[] };
  /** Kernels whose files are called the same after each update; without it, the root's linux-version says which there are. */
  readonly kernels?: readonly MenuEntry[];
}

/** How the disk starts. */
export interface BootRecipe {
  /** Path of the GRUB image format: `i386-pc`, or undefined without BIOS. */
  readonly bios: { readonly platform: string; readonly modules: readonly string[] } | undefined;
  /** Files of the EFI system partition: path there -> path in the root. */
  readonly efi: Readonly<Record<string, string>>;
  /** Content of grub.cfg on the EFI system partition, which finds the real one; undefined without UEFI. */
  readonly efiConfig?: { readonly path: string; readonly content: string };
  readonly kernelArguments: readonly string[];
}
