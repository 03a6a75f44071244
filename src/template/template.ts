import type { Filesystem } from '../disk/layout.ts';
import type { Name } from '../base/types.ts';

/** What an image is to be, with every name resolved and every default filled in. */
export interface ResolvedTemplate {
  /** The image's name. */
  readonly name: Name;
  /** A release of the catalog. */
  readonly release: string;
  readonly arch: string;
  readonly kernel: 'cloud' | 'generic';
  readonly disk: { readonly size: number; readonly filesystem: Filesystem };
}

/** Virtual size of an image's disk where nothing else is asked for; it grows with the VM's disk. */
export const DEFAULT_DISK_SIZE = 4 * 2 ** 30;
