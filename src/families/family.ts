import type { FamilyName } from '../catalog/families.ts';
import type { Release } from '../catalog/schema.ts';
import type { DiskLayout, DiskRequest } from '../disk/layout.ts';
import type { LoaderRecipe } from '../disk/recipe.ts';
import type { BootstrapRecipe, GuestCommand, ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { TemplateNetwork } from '../template/network-schema.ts';
import type { PackageRepository, ResolvedSnap, ResolvedSystem, ResolvedUser, Subscription, UbuntuPro } from '../template/template.ts';
import type { RootFile } from '../workspace/guest-root.ts';
import type { Changes } from './changes.ts';
import type { PackageInstallation, Registration, Seal } from './recipe.ts';

export type ServiceState = 'enabled' | 'disabled' | 'masked';

/** What a family can do, asked instead of its name. */
export interface Traits {
  readonly init: 'systemd' | 'openrc';
  readonly selinux: boolean;
  /** Its package manager tells security updates from others. */
  readonly securityUpdates: boolean;
  /** Whether a further repository has suites and components below its address. */
  readonly suites: 'needed' | 'possible' | 'none';
  /** Filesystems by which its kernels can mount a folder of the machine's host: the small kernel for clouds, and the generic one. */
  readonly shares: Readonly<Record<BaseOptions['kernel'], readonly ('virtiofs' | '9p')[]>>;
}

/** What of a template decides the packages of its base. */
export interface BaseOptions extends Pick<DiskRequest, 'arch' | 'filesystem' | 'firmware' | 'partitions' | 'lvm' | 'swap'> {
  readonly kernel: 'cloud' | 'generic';
}

/** Another kernel in an image that has one. */
export interface KernelChange extends Pick<BaseOptions, 'arch'> {
  readonly to: BaseOptions['kernel'];
  /** Names of all packages of the image. */
  readonly installed: readonly string[];
}

/** How ingot itself chooses, before the build, what packages a layer gets, and puts them in. */
export interface PlannedPackages {
  /** Names of what every image of the family holds. */
  base(release: Release, options: BaseOptions): string[];
  /** The recipe of a base image of resolved packages. */
  bootstrap(release: Release, options: BaseOptions, packages: readonly ResolvedPackage[], disk: DiskLayout): BootstrapRecipe;
  /** How resolved packages are added to an image, and others go. */
  installation(release: Release, packages: readonly ResolvedPackage[], remove: readonly string[]): PackageInstallation;
  /** Puts the release's other kernel in the place of the one that an image has; nothing where the release has but one. */
  otherKernel(release: Release, change: KernelChange): Changes;
}

/** Packages into an empty root, by the package manager of another root, in which the empty one is a folder. */
export interface BootstrapRequest {
  /** Path of the empty root, as the root that holds the package manager sees it. */
  readonly root: string;
  readonly packages: readonly string[];
  readonly repositories: readonly PackageRepository[];
  /** `amd64` or `arm64`. */
  readonly arch: string;
  /** The version of the release, as its package manager takes it: `9`, `15.6`, `3.20`. */
  readonly version: string;
}

/** Files that are written in the root that holds the package manager, then commands that run in it, with the network. */
export interface ManagerBootstrap {
  readonly files: readonly RootFile[];
  readonly commands: readonly GuestCommand[];
}

/** What a tree of files lacks of a machine. */
export interface TreeBoot {
  readonly changes: Changes;
  readonly loader: LoaderRecipe;
}

/**
 * A family of distributions: what its package manager, services, accounts and boot look like. All of it is pure: what is to be done comes as plain data
 * (files, commands), whose hash is a layer's key, and whoever carries it out adds nothing of its own. Every folder below src/families has the same files.
 */
export interface Family {
  readonly name: FamilyName;
  readonly traits: Traits;
  /** Arguments of the kernel where nothing says others. */
  readonly kernelArguments: readonly string[];
  /** Packages are chosen before the build; without it the image's own package manager chooses while it installs them. */
  readonly planned?: PlannedPackages;
  /** There while programs of the user or a package manager run: what they need to work in a workspace, where nothing may start. The seal takes it away. */
  readonly quiet: readonly RootFile[];

  /** Installs packages, by the image's own package manager, with signatures checked. Run with network. */
  install(packages: readonly string[]): GuestCommand[];
  /** Removes packages and what only they needed. */
  remove(packages: readonly string[]): GuestCommand[];
  /** Updates what is installed. Run with network. Throws `update-unsupported` where the family cannot tell security updates. */
  update(which: 'all' | 'security'): GuestCommand[];
  /** Further package repositories, each with its own key, in place before packages are installed. Throws `repository-invalid`. */
  repositories(list: readonly PackageRepository[]): Changes;
  /** Switches on repositories that the distribution knows but has off, by its names for them; absent where there is no such thing. */
  enable?(repositories: readonly string[]): GuestCommand[];

  /** A service that starts with the system, does not, or cannot. Fails inside with the nearest names where there is none of that name. */
  services(service: string, state: ServiceState): Changes;
  /** Accounts, made where they are missing, changed where they are there. Throws `user-invalid` and `ssh-key-invalid`. */
  users(users: readonly ResolvedUser[], release: Pick<Release, 'defaultUser'>): Changes;
  /** The system section of a template. Throws `system-invalid` and `certificate-invalid`. */
  system(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes;
  network(network: TemplateNetwork): Changes;
  /** Installs the updates of a subscription while the image is built, and leaves nothing of it behind; absent where there is no such thing. */
  ubuntuPro?(pro: UbuntuPro): Changes;
  /** How a layer gets packages that are served to customers alone; absent where there is no such vendor. */
  registration?(subscription: Subscription): Registration;
  /** Snaps that each machine installs at its first boot; absent where the family has no snapd. */
  snaps?(snaps: readonly ResolvedSnap[]): Changes;
  /** Opens ports (`80/tcp`, `53/udp`) where a firewall is on; says nothing where none is. `name` is a word for who wants them. Throws `port-invalid`. */
  openPorts(name: string, ports: readonly string[]): Changes;
  /** Kernel modules that are loaded at boot, on behalf of `name`. */
  modules(name: string, modules: readonly string[]): Changes;
  /** Kernel parameters, on behalf of `name`; later names win. Throws `system-invalid`. */
  sysctl(name: string, values: Readonly<Record<string, string | number>>): Changes;

  /**
   * What a layer runs after its packages, files and commands, so that the image boots with what it has now: initramfs of new kernels, boot entries,
   * and the arguments that were added. Nothing where ingot itself writes the boot menu.
   */
  boot(addedArguments: readonly string[]): GuestCommand[];
  /** Gives every file the label that SELinux's policy wants; the last thing that a layer runs. Nothing where there is no SELinux. */
  labels(): GuestCommand[];
  /** What is taken away at the end of every layer, and besides that after a boot. Its commands run first. */
  readonly seal: { readonly commands: readonly GuestCommand[]; readonly layer: Seal; readonly booted: Seal };

  /**
   * What makes a machine of a root that its distribution publishes as a tree of files: kernel, boot loader, services, and what a system needs to be logged in
   * to. `disk` is the disk that the tree was put on. Absent where ingot does not know it.
   */
  fromTree?(release: Release, options: BaseOptions, disk: DiskLayout): TreeBoot;

  /** Packages into an empty root, with signature checks on; absent where `planned` is there, since ingot does that itself. */
  bootstrap?(request: BootstrapRequest): ManagerBootstrap;
}
