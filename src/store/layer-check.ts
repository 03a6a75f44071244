import { hexOf, type Digest } from '../base/types.ts';
import type { Qcow2Header } from '../disk/qcow2.ts';
import type { StoreProblem } from './types.ts';

/** What is wrong with a file. */
export type Flaw = Pick<StoreProblem, 'kind' | 'message'>;

/** A layer blob as it was read; without a size where the file is missing. */
export interface SeenLayer {
  readonly size?: number;
  readonly hex?: string;
  /** Its bytes have its digest. */
  readonly isProven: boolean;
  readonly header?: Qcow2Header;
  /** Why there is no header. */
  readonly headerFlaw?: string;
}

/** What is wrong with a layer that should have `size` bytes, if anything is. */
export function flawOf(seen: SeenLayer, size: number): Flaw | undefined {
  if (seen.size === undefined) return { kind: 'blob-missing', message: 'The file is missing' };
  if (seen.size !== size) return { kind: 'blob-size', message: `The file has ${seen.size} bytes instead of ${size}` };
  if (!seen.isProven) return { kind: 'blob-changed', message: `The bytes have changed: they now have the digest sha256:${seen.hex}` };
  return seen.headerFlaw === undefined ? undefined : { kind: 'qcow2-invalid', message: seen.headerFlaw };
}

/** What a layer on this parent stands on, in words. */
export function backingOf(parent: Digest | undefined): string {
  return parent === undefined ? 'nothing' : `${hexOf(parent)} (qcow2)`;
}

/** What its header says that it stands on, in the same words. */
export function headerBacking({ backing }: Qcow2Header): string {
  return backing === undefined ? 'nothing' : `${backing.name} (${backing.format ?? 'no format'})`;
}
