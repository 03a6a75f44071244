import type { DiskRecipe } from '../../disk/recipe.ts';
import type { SecretUse } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';

/** A package as repository metadata describes it: enough to download, verify and install it. */
export interface ResolvedPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly size: number;
  /** Path below the mirror: where it is downloaded from is not part of what it is. */
  readonly path: string;
  /** Which of the mirrors has it: `archive`, `security`, or a further repository. */
  readonly archive: string;
  /** Part of the set without which nothing else can be installed. */
  readonly essential: boolean;
}

/** A command that runs inside the image's root. */
export interface GuestCommand {
  readonly label: string;
  readonly argv: readonly [string, ...string[]];
  /** The value of this secret is the command's standard input; the plan and the key hold its name and keyed hash alone. */
  readonly secretStdin?: SecretUse;
  /** It needs the network: its layer grows old, as that of a step with network does. */
  readonly network?: boolean;
}

/**
 * A program that maintainer scripts call again and again for nothing: while packages are configured a stub stands
 * in its place, and `once`, where there is one, does the work a single time at the end.
 */
export interface DeferredProgram {
  readonly program: string;
  readonly once?: GuestCommand;
}

/**
 * All that decides what a bootstrapped root holds, as plain data; its hash is the layer's key. The source runs it
 * without adding anything of its own.
 */
export interface BootstrapRecipe extends DiskRecipe {
  readonly arch: string;
  readonly packages: readonly ResolvedPackage[];
  /** Paths that are not unpacked, as dpkg's path-exclude and path-include take them. */
  readonly exclude: readonly string[];
  readonly include: readonly string[];
  /** Directories below /usr that `/bin` and the like are links to. */
  readonly mergedUsr: readonly string[];
  /** Configured before the other essential packages, in this order. */
  readonly configureFirst: readonly string[];
  /** Written once the packages are unpacked, before they are configured. */
  readonly filesBefore: readonly RootFile[];
  readonly deferred: readonly DeferredProgram[];
  /** Written after the packages are configured. */
  readonly files: readonly RootFile[];
  /** Run in order after `files`, beside the deferred programs. */
  readonly commands: readonly GuestCommand[];
  /** Removed at the end, as shell patterns relative to the root. */
  readonly seal: readonly string[];
  /** Files emptied at the end. */
  readonly truncate: readonly string[];
}
