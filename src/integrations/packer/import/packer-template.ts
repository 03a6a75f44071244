import type { Body, Expression, Place } from '../hcl/syntax.ts';

/*
 * A template of Packer as it was read, whichever of its three forms it has: HCL2, HCL2's JSON, or the JSON of before.
 */

/** A block of a kind: a source, a provisioner, a post-processor. */
export interface Part {
  /** `qemu`, `shell`. */
  readonly type: string;
  readonly name: string;
  readonly file: string;
  readonly place: Place;
  readonly body: Body;
}

export interface Build {
  readonly file: string;
  readonly place: Place;
  /** `source.qemu.web`; with what is said of it here alone. */
  readonly sources: readonly { readonly name: string; readonly body: Body | undefined }[];
  readonly provisioners: readonly Part[];
  readonly postProcessors: readonly Part[];
}

export interface DeclaredVariable {
  readonly file: string;
  readonly place: Place;
  readonly value: Expression | undefined;
  readonly sensitive: boolean;
}

export interface PackerTemplate {
  readonly variables: ReadonlyMap<string, DeclaredVariable>;
  readonly locals: ReadonlyMap<string, Expression>;
  readonly sources: readonly Part[];
  readonly builds: readonly Build[];
  /** Blocks that are none of these. */
  readonly others: readonly Part[];
}

/** Something that the template says and ingot's does not. */
export interface Note {
  readonly message: string;
  readonly file: string;
  readonly place: Place;
}
