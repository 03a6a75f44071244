import type { HostPath } from '../base/types.ts';
import type { MapNode } from '../template/source.ts';
import type { PackageRepository, SecretUse } from '../template/template.ts';
import type { TemplateTest } from '../template/schema.ts';
import type { RootFile } from '../workspace/guest-root.ts';
import type { RoleHead } from './schema.ts';

/** The folder of a role, as it was read. */
export interface RoleFolder {
  /** Where it is from, for people: `the catalog`, a folder, a repository with its commit. */
  readonly origin: string;
  /** Of role.yaml, for messages. */
  readonly file: HostPath;
  /** Text files by their path in the folder, role.yaml among them. */
  readonly files: Readonly<Record<string, string>>;
}

/** A role that is right in itself; what it does to an image depends on its parameters. */
export interface Role {
  readonly head: RoleHead;
  readonly folder: RoleFolder;
  /** role.yaml with the places of all its parts. */
  readonly tree: MapNode;
}

/** Something that is fetched and put into the image. */
export interface Download {
  readonly url: string;
  readonly sha256: string;
  /** The file, or where it is unpacked, the folder. */
  readonly to: string;
  readonly unpack: boolean;
  readonly mode: string;
}

export interface RoleCommand {
  readonly name: string;
  /** POSIX sh. */
  readonly script: string;
  readonly secret?: SecretUse;
}

/** What a role does to an image of one release, with everything named in it found and read: plain data. */
export interface RoleContent {
  readonly repositories: readonly PackageRepository[];
  /** The family's own names. */
  readonly packages: readonly string[];
  readonly files: readonly RootFile[];
  readonly modules: readonly string[];
  readonly sysctl: Readonly<Record<string, string | number>>;
  readonly services: readonly { readonly name: string; readonly state: 'enabled' | 'disabled' | 'masked' }[];
  /** `80/tcp`. */
  readonly ports: readonly string[];
  readonly downloads: readonly Download[];
  readonly run: readonly RoleCommand[];
  readonly kernelArguments: readonly string[];
  readonly tests: readonly TemplateTest[];
}
