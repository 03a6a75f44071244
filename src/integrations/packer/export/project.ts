import type { Architecture } from '../../../catalog/cloud-image-schema.ts';
import type { Release } from '../../../catalog/schema.ts';
import type { HostPath } from '../../../base/types.ts';
import type { ResolvedTemplate } from '../../../template/template.ts';
import type { HclBlock, HclItem } from '../hcl/document.ts';

/** A file of a project, by its path in the folder; one that is copied has the hash that the template was read with. */
export type ProjectFile = { readonly path: string; readonly mode: number } & (
  | { readonly content: string | Uint8Array }
  | { readonly source: HostPath; readonly sha256: string }
);

/** A part of a project in Packer's language: written as HCL2 or as JSON. */
export interface PackerSource {
  /** Without extension: `qemu`. */
  readonly name: string;
  readonly items: readonly HclItem[];
}

/** What installs a release, as Packer takes it. */
export interface Medium {
  readonly url: string | undefined;
  /** `sha256:…`, or `file:<address>`; undefined where the distribution publishes none that the catalog knows. */
  readonly checksum: string | undefined;
}

/** What a project is made of. */
export interface Origin {
  readonly template: ResolvedTemplate;
  readonly release: Release;
  readonly architecture: Architecture;
  /** It starts from this disk, which is an image of ingot's; else from the medium that installs the release. */
  readonly image?: { readonly reference: string; readonly url: string; readonly checksum: string };
  /** The user's own medium, in place of the one that the catalog knows. */
  readonly medium?: Medium;
}

/** The machine's account that Packer logs in as; it is gone from the result. */
export interface BuildAccount {
  readonly name: string;
  /** In OpenSSH's form, for this project alone. */
  readonly privateKey: string;
  /** A line of authorized_keys. */
  readonly publicKey: string;
}

/** One step of the build in the machine: what it runs, and the files that it brings. */
export interface Piece {
  readonly files: readonly ProjectFile[];
  readonly provisioners: readonly HclBlock[];
}

/** What a template's sources are called: Packer takes a dot in a name for the end of it. */
export function sourceName(name: string): string {
  return name.replaceAll('.', '-').replace(/^(?=\d)/, 'image-');
}
