import { IngotError } from '../base/errors.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { ExecuteOptions, Executor } from './executor.ts';

export const PLACES = ['host', 'vm'] as const;
export type PlaceKind = (typeof PLACES)[number];

export interface AttachOptions {
  /** The image's layers, bottom first, read-only. */
  readonly chain: readonly HostPath[];
  /** A qcow2 on the last of them, or alone, which takes all changes. Not synced to the host's disk: whoever keeps it does that. */
  readonly overlay: HostPath;
  /** A scratch folder of this process. */
  readonly scratch: HostPath;
}

/** A writable disk that a place sees as one block file. Disposing takes it away without caring for what was written. */
export interface AttachedDisk extends AsyncDisposable {
  /** The disk as the executor sees it. */
  readonly path: string;
  /** Takes the disk back, with all that was written to it; nothing on it may be mounted any more. Throws `workspace-lost`. */
  detach(): Promise<void>;
}

/** Where disks are opened: this host (root for its helper alone), or the helper VM. Serves any number of disks, one after the other or at once. */
export interface Place extends AsyncDisposable {
  readonly kind: PlaceKind;
  /** Runs commands as root there. */
  readonly executor: Executor;
  /** An empty folder there for mount points and small files, gone with the place. */
  readonly folder: string;
  /** Provided folders are this host's own: what is added to one later is seen there, too. */
  readonly sharesFolders: boolean;
  /** Makes a folder of this host readable there and returns its path there. It must not change while the place lives, but for `sharesFolders`. */
  provide(folder: HostPath): Promise<string>;
  /** Opens a writable disk. Throws `workspace-lost`. */
  attach(options: AttachOptions): Promise<AttachedDisk>;
  /** Makes a folder there with much room and no safety, for what is put together and thrown away: in memory where there is enough. */
  room(): Promise<string>;
  /** Runs a program of this host on a raw disk that is a file there; `command` gets a path of the disk. */
  readDisk(raw: string, command: (path: string) => Argv, options?: Pick<ExecuteOptions, 'timeout' | 'onLine'>): Promise<void>;
  /** Makes the network reachable there, and returns the path there of a resolv.conf that fits. */
  network(): Promise<string>;
}

export interface PlaceOptions {
  readonly kind: PlaceKind;
  /** A scratch folder of this process, which outlives the place. */
  readonly scratch: HostPath;
  /** The helper VM is made of what has been downloaded before. */
  readonly offline?: boolean;
}

type PlaceContext = Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal'>;

/** Opens a place. Throws `root-needed` for the host, and what starting the helper VM throws. */
export async function openPlace(context: PlaceContext, options: PlaceOptions): Promise<Place> {
  if (options.kind === 'vm') {
    const { openVmPlace } = await import('./vm/vm-place.ts');
    return await openVmPlace(context, options);
  }
  const { openHostPlace } = await import('./host-place.ts');
  return await openHostPlace(context, options);
}

/**
 * The place to work in: what was asked for, else this host where it is Linux and root can be had, by sudo if need be; else the helper
 * VM, and says why. A disk that came from elsewhere is for the helper VM alone, whatever was asked for: nobody vouches for its file systems, and
 * the kernel that mounts them is not to be this host's. Throws `host-unsupported` where the host was asked for and is no Linux.
 */
export async function choosePlace(
  context: Pick<Context, 'host' | 'events'>,
  wanted: PlaceKind | undefined,
  { foreign = false }: { readonly foreign?: boolean } = {},
): Promise<PlaceKind> {
  const { machine, processes } = context.host;
  if (foreign && wanted === 'host') context.events.message('info', 'Disks are opened in the helper VM, since no signature vouches for what is on them.');
  if (foreign) return 'vm';
  if (wanted === 'vm') return 'vm';
  if (machine.platform !== 'linux') {
    if (wanted === 'host') {
      throw new IngotError('host', 'host-unsupported', `Disks cannot be opened on ${machine.platform} itself: that needs Linux`, {
        hint: 'Leave --workspace away, or use --workspace vm.',
      });
    }
    context.events.message('info', `Disks are opened in the helper VM, since this host runs ${machine.platform}.`);
    return 'vm';
  }
  if (wanted === 'host' || machine.uid === 0) return 'host';
  const sudo = await processes.run(['sudo', '-n', 'true'], { accept: [1] }).catch(() => undefined);
  if (sudo !== undefined && (sudo.exitCode === 0 || process.stdin.isTTY)) return 'host';
  const why = sudo === undefined ? 'you are not root and there is no sudo' : 'sudo wants a password and nobody can be asked';
  context.events.message('info', `Disks are opened in the helper VM, since ${why}.`);
  return 'vm';
}
