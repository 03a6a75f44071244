import type { LoaderRecipe } from '../disk/recipe.ts';
import type { Download } from '../roles/role.ts';
import type { BootstrapRecipe, GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { RootFile } from '../workspace/guest-root.ts';

/** How a layer's disk is left: what is removed and emptied in every layer, so that each is a golden image. */
export interface Seal {
  /** Shell patterns relative to the root. */
  readonly remove: readonly string[];
  /** Folders below which files go and folders stay. */
  readonly emptyFolders: readonly string[];
  readonly truncate: readonly string[];
}

/** The boot menu, which is written anew where a layer changes kernels or their arguments. */
export interface BootMenu {
  /** Shown in the menu. */
  readonly release: string;
  readonly kernelArguments: readonly string[];
}

/** How packages get into a root that has others already, as plain data. */
export interface PackageInstallation extends Pick<BootstrapRecipe, 'packages' | 'exclude' | 'include' | 'deferred' | 'filesBefore'> {
  /** Names of packages that have to go first. */
  readonly remove: readonly string[];
  /** The image's dpkg reads packages that are compressed by zstd. */
  readonly readsZstd: boolean;
}

/**
 * How a layer is registered at who serves its packages, for as long as they are installed; plain data. The machine gets a name of its own from whoever carries
 * it out, as its host name.
 */
export interface Registration {
  /** Who registers it, as users call them. */
  readonly vendor: string;
  /** Name of the secret that is the standard input of `register`, which gets an empty line where there is none. */
  readonly secret?: string;
  /** What of it decides which packages there are: that alone is in the layer's key. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Written before it is registered; `clean` takes them away. */
  readonly files: readonly RootFile[];
  /** Run with network, and with INGOT_ALONE=yes where nobody but the image's own programs sees its command line. */
  readonly register: GuestCommand;
  /** Run with network; prints what the vendor calls the machine, then secrets that it gave it, one in a line. Nothing where it is not registered. */
  readonly identify: GuestCommand;
  /** Run with network; does nothing where it is not registered. */
  readonly unregister: GuestCommand;
  /** Takes everything away that registering has left, without asking anybody. */
  readonly clean: GuestCommand;
  /** Fails where a sealed layer still holds something of it. Its standard input are texts, one in a line, that no file may hold. */
  readonly check: GuestCommand;
  /** How a machine is removed by hand, as a sentence without its beginning. */
  readonly removal: string;
}

/** A layer that ingot makes of a template's own words: packages, files, commands, in this order. */
export interface ChangeRecipe {
  readonly kind:
    | 'preparation'
    | 'boot'
    | 'kernel'
    | 'repositories'
    | 'update'
    | 'role'
    | 'packages'
    | 'snaps'
    | 'ubuntu-pro'
    | 'users'
    | 'system'
    | 'network'
    | 'file'
    | 'service';
  /** The root is made as large as the disk, first of all. */
  readonly grow?: true;
  readonly install?: PackageInstallation;
  /** Written before anything runs; the seal takes it away. */
  readonly quiet?: readonly RootFile[];
  /** Run first, with network: the image's own package manager, where packages are not chosen before the build. */
  readonly online?: readonly GuestCommand[];
  /** The layer is registered while `online` runs. */
  readonly registration?: Registration;
  readonly downloads?: readonly Download[];
  readonly files: readonly RootFile[];
  readonly commands: readonly GuestCommand[];
  readonly menu: BootMenu;
  /** The layer changes the kernel's arguments: the menu is written even where no kernel changed. */
  readonly newMenu: boolean;
  /** Put on the disk after the commands, and its menu with it. */
  readonly loader?: LoaderRecipe;
  /** Run before the layer is sealed. */
  readonly last?: readonly GuestCommand[];
  readonly seal: Seal;
}
