import type { Digest, Key } from '../base/types.ts';
import type { FamilyName } from '../catalog/families.ts';
import type { Family } from '../families/family.ts';
import type { BootMenu, ChangeRecipe, Seal } from '../families/recipe.ts';
import type { BootstrapRecipe, GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { InstalledPackage } from '../store/model.ts';
import type { FileTree, ResolvedStep } from '../template/template.ts';

/** A layer that a program of the user makes. */
export interface ProgramRecipe {
  readonly kind: 'run' | 'script' | 'ansible';
  readonly step: Extract<ResolvedStep, { kind: 'run' | 'script' | 'ansible' }>;
  /** What family of distributions the image is of. */
  readonly family: FamilyName;
  /** Written before anything runs; the seal takes it away. */
  readonly quiet?: Family['quiet'];
  readonly menu: BootMenu;
  readonly seal: Seal;
  /** Run before the layer is sealed. */
  readonly last?: readonly GuestCommand[];
  /** The machine that boots the layer for it, where the step wants one. */
  readonly machine?: { readonly arch: string; readonly firmware: 'bios' | 'uefi' };
}

export interface CopyRecipe {
  readonly kind: 'copy';
  readonly tree: FileTree;
  readonly to: string;
  readonly owner: string;
  readonly seal: Seal;
  /** Run before the layer is sealed. */
  readonly last?: readonly GuestCommand[];
}

export type LayerRecipe = ({ readonly kind: 'bootstrap' } & BootstrapRecipe) | ChangeRecipe | ProgramRecipe | CopyRecipe;
export type LayerKind = LayerRecipe['kind'];

/** One layer to be: what makes it, and the key under which it is kept. */
export interface LayerPlan {
  readonly name: string;
  readonly kind: LayerKind;
  readonly key: Key;
  /** Hashes of the parts of the key, by name: `explain` says which one differs. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Packages that it adds or changes. */
  readonly packages: readonly InstalledPackage[];
  /** Names of packages that it takes away. */
  readonly removed: readonly string[];
  /** Bytes of the disk. */
  readonly virtualSize: number;
  readonly recipe: LayerRecipe;
  /** Seconds after which a cached layer is made again: a step with network. */
  readonly maxAge?: number;
}

/** A layer of the image that a template starts from. */
export interface BaseLayer {
  readonly name: string;
  readonly kind: string;
  readonly key: Key;
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly packages: readonly InstalledPackage[];
  readonly removed: readonly string[];
}
