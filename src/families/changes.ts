import type { Download } from '../roles/role.ts';
import type { GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { RootFile } from '../workspace/guest-root.ts';

/**
 * What a part of a template does to an image, as plain data. Its hash is the layer's key, so whoever carries it out adds nothing of its own:
 * packages first, then files, then commands in order, and the boot menu where there are kernel arguments.
 */
export interface Changes {
  /** Names of packages that have to be installed for it. */
  readonly packages: readonly string[];
  readonly files: readonly RootFile[];
  /** Run inside the root, by a root with few rights, without network unless they say so; /tmp and /run are empty. */
  readonly commands: readonly GuestCommand[];
  /** Added to the kernel's command line. */
  readonly kernelArguments: readonly string[];
  /** Written before packages are unpacked, where packages are chosen before the build. */
  readonly filesBefore?: readonly RootFile[];
  /** Fetched and verified, then put into the image: after the packages, before the files. */
  readonly downloads?: readonly Download[];
}

export const NOTHING: Changes = { packages: [], files: [], commands: [], kernelArguments: [] };

/** Several changes as one: packages by name, each once; the rest in order. */
export function joined(parts: readonly Changes[]): Changes {
  return {
    packages: [...new Set(parts.flatMap(({ packages }) => packages))].toSorted(),
    files: parts.flatMap(({ files }) => files),
    commands: parts.flatMap(({ commands }) => commands),
    kernelArguments: parts.flatMap(({ kernelArguments }) => kernelArguments),
  };
}

/** A file of root's, by default readable to all. */
export function rootFile(path: string, content: string, mode = '0644'): RootFile {
  return { path, content, mode };
}
