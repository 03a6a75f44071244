import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { randomId } from '../base/host.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { makeOverlay } from '../platforms/local/overlay.ts';
import type { Place } from './place.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

export interface ThrowAwayOptions {
  /** The disk's layers, bottom first. */
  readonly chain: readonly HostPath[];
  /** Bytes of the disk. */
  readonly size: number;
  /** A scratch folder of this process, with which all that is changed goes. */
  readonly scratch: HostPath;
}

/** Opens a disk to look at it: what is changed there goes to an overlay that nobody keeps. Throws `image-empty` and what opening throws. */
export async function openThrowAway({ host }: Pick<Context, 'host'>, place: Place, { chain, size, scratch }: ThrowAwayOptions): Promise<Workspace> {
  const top = chain.at(-1);
  if (top === undefined) throw new IngotError('internal', 'image-empty', 'The image has no layers');
  const overlay = hostPath(join(scratch, `overlay-${randomId(host.random, 4)}.qcow2`));
  await makeOverlay(host, overlay, top, size);
  return await openWorkspace(place, { chain, overlay, scratch });
}
