import type { HostPath, Name } from '../base/types.ts';
import type { ChosenFormat } from '../disk/formats/table.ts';
import type { DiskOptions } from '../disk/layout.ts';

import type { RoleContent } from '../roles/role.ts';
import type { AnswerKind } from '../sources/installer/answers/answers.ts';

export type { DiskOptions } from '../disk/layout.ts';
import type { Template, TemplateTest } from './schema.ts';
import type { TemplateNetwork } from './network-schema.ts';

/*
 * What an image is to be, with every name resolved, every default filled in, and everything that a template brings in from outside read: the
 * value that planning starts from. Nothing downstream reads the template again.
 */

export interface ResolvedTemplate {
  /** The image's name. */
  readonly name: Name;
  readonly version?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly base: Base;
  /** How layers that install packages are registered while they are made. */
  readonly subscription?: Subscription;
  readonly arch: string;
  readonly kernel: 'cloud' | 'generic';
  readonly disk: DiskOptions;
  readonly roles: readonly ResolvedRole[];
  readonly update: Template['update'];
  readonly packages: readonly string[];
  readonly snaps: readonly ResolvedSnap[];
  readonly users: readonly ResolvedUser[];
  readonly system: ResolvedSystem;
  readonly network?: TemplateNetwork;
  readonly steps: readonly ResolvedStep[];
  /** Those of the roles, and the template's own. */
  readonly tests: readonly ResolvedTest[];
  readonly outputs: readonly { readonly format: ChosenFormat; readonly path: HostPath }[];
}

/** What must hold in the booted image, and which role says so. */
export type ResolvedTest = TemplateTest & { readonly role?: string };

/** What an image starts from. */
export type Base =
  | { readonly kind: 'release'; readonly release: string }
  /** The cloud image of a release: what the catalog knows, or what the user has. */
  | { readonly kind: 'cloud-image'; readonly release: string; readonly origin?: ImageOrigin }
  | InstallerBase
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'file'; readonly path: HostPath }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: string };

/** What the installer of a release puts on a disk. */
export interface InstallerBase {
  readonly kind: 'installer';
  readonly release: string;
  readonly method: AnswerKind;
  readonly medium: InstallMedium;
  /** The user's own answer file; without one, ingot writes it. */
  readonly answers?: { readonly path: HostPath; readonly text: string };
  /** Further arguments of the installer's kernel. */
  readonly arguments?: string;
}

/** What starts an installer: the medium that the catalog knows, or what the user has. */
export type InstallMedium =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'iso'; readonly path: HostPath }
  | { readonly kind: 'netboot'; readonly kernel: HostPath; readonly initrd: HostPath };

/** Where the user has a cloud image from. */
export type ImageOrigin =
  | { readonly kind: 'file'; readonly path: HostPath }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: string; readonly authorization?: string };

export interface ResolvedRole {
  readonly name: string;
  readonly version: string;
  readonly content: RoleContent;
}

/** A user whose keys have been read; a password is known by its secret's name and keyed hash alone. */
export type ResolvedUser = Omit<Template['users'][number], 'ssh-keys' | 'password-hash'> & {
  readonly sshKeys: readonly string[];
  readonly passwordHash?: SecretUse;
};

type TemplateSystem = NonNullable<Template['system']>;
/** The system section with its keys and certificates read. */
export type ResolvedSystem = Omit<TemplateSystem, 'trusted-ca' | 'repositories' | 'ubuntu-pro'> & {
  readonly ubuntuPro?: UbuntuPro;
  readonly trustedCa: readonly string[];
  readonly repositories: readonly PackageRepository[];
};

/** A snap that each machine installs. */
export interface ResolvedSnap {
  readonly name: string;
  readonly channel?: string | undefined;
  readonly classic: boolean;
}

/** A subscription of Ubuntu whose packages a build installs. */
export interface UbuntuPro {
  readonly token: SecretUse;
  readonly services: readonly string[];
}

/** Who serves packages to customers alone, as the catalog names it. */
export type SubscriptionVendor = 'rhel' | 'sles';

/** How a build registers at a vendor. The secret is known by its name alone: a renewed one makes nothing else, and nothing anew. */
export type Subscription = {
  /** Origin of a server of the user's own. */
  readonly server?: string;
  /** What vouches for it, PEM. */
  readonly ca?: string;
} & (
  | { readonly vendor: 'rhel'; readonly organization: string; readonly secret: string; readonly repositories: readonly string[] }
  | { readonly vendor: 'sles'; readonly secret?: string; readonly email?: string; readonly modules: readonly string[] }
);

export interface PackageRepository {
  readonly name: string;
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Armored text; of apk an RSA key in PEM. */
  readonly key: string;
  /** apk: the name by which signatures call the key. */
  readonly keyName?: string;
}

/** A secret by name, with a keyed hash of its value: the value itself is fetched only when a step runs. */
export interface SecretUse {
  readonly secret: string;
  readonly fingerprint: string;
}

export interface ProgramOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Environment variable -> secret. */
  readonly secrets: Readonly<Record<string, SecretUse>>;
  readonly network: boolean;
  /** Seconds that a step with network stays cached. */
  readonly maxAge: number;
  readonly booted: boolean;
  /** Seconds. */
  readonly timeout: number;
}

export type ResolvedStep = { readonly label: string } & (
  | ({ readonly kind: 'run'; readonly shell: 'sh' | 'bash'; readonly script: string } & ProgramOptions)
  /** A program of the user; `content` in base64, since it need not be text. */
  | ({ readonly kind: 'script'; readonly fileName: string; readonly content: string; readonly arguments: readonly string[] } & ProgramOptions)
  | {
      readonly kind: 'copy';
      readonly tree: FileTree;
      readonly to: string;
      readonly owner: string;
    }
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly owner: string; readonly mode: string }
  | { readonly kind: 'service'; readonly service: string; readonly state: 'enabled' | 'disabled' | 'masked' }
  /** `playbook` is a path in the tree, which is the playbook's folder. */
  | ({ readonly kind: 'ansible'; readonly tree: FileTree; readonly playbook: string; readonly variables: Readonly<Record<string, unknown>> } & ProgramOptions)
);

/** A file or folder of this host that goes into an image. Only `entries` and what follows from them enter a key, not where it lies. */
export interface FileTree {
  readonly root: HostPath;
  /** A single file rather than a folder: then there is one entry, with an empty path. */
  readonly single: boolean;
  /** Sorted by path. Modes as they will be in the image. */
  readonly entries: readonly TreeEntry[];
}

export type TreeEntry =
  | { readonly type: 'folder'; readonly path: string; readonly mode: number }
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly size: number; readonly sha256: string }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

/** Virtual size of an image's disk where nothing else is asked for; it grows with the VM's disk. */
export const DEFAULT_DISK_SIZE = 4 * 2 ** 30;

/** The same where an installer fills it: its minimal sets are larger than an image of packages. */
export const INSTALLED_DISK_SIZE = 10 * 2 ** 30;
