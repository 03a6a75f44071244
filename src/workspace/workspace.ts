import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IngotError } from '../base/errors.ts';
import type { Argv, CommandResult } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { chainArguments } from '../disk/blockdev.ts';
import { SECTOR } from '../disk/layout.ts';
import type { BackgroundCommand, ExecuteOptions, Executor } from './executor.ts';
import { GuestRoot } from './guest-root.ts';
import { startHostExecutor } from './host-executor.ts';

export interface WorkspaceOptions {
  /** The image's layers, bottom first, read-only. */
  readonly chain: readonly HostPath[];
  /** An overlay on the last of them, which takes all changes. */
  readonly overlay: HostPath;
  /** A scratch folder of this process. */
  readonly scratch: HostPath;
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
}

/**
 * An opened, writable disk. Nothing that was changed counts until {@link commit} has returned: it alone notices a
 * full disk, since writing, unmounting and the storage daemon's end all report success then.
 */
export interface Workspace extends AsyncDisposable {
  readonly root: GuestRoot;
  readonly partition: RootPartition;
  /** Writes everything to the overlay and closes it; throws `disk-full` or `workspace-lost`. Nothing can be done with the workspace afterwards. */
  commit(): Promise<void>;
}

/** The root partition as it was found on the disk; bytes. */
export interface RootPartition {
  readonly start: number;
  readonly size: number;
  readonly filesystem: string;
  readonly uuid: string;
}

/** Seconds for the storage daemon to offer, and to let go of, a disk. */
const DAEMON_TIMEOUT = 20;

/**
 * Opens a disk on this host. One process tree holds everything, so that killing ingot ends it and with the last process
 * go the mounts and the loop device: the storage daemon runs in the helper's mount namespace, the file system it serves
 * is mounted in one nested in it. (A daemon that shares a mount namespace with a file system that it serves waits, when
 * killed, for itself.)
 */
export async function openWorkspace(context: Pick<Context, 'host' | 'events' | 'signal'>, options: WorkspaceOptions): Promise<Workspace> {
  await using undo = new AsyncDisposableStack();
  const executor = undo.use(await startHostExecutor(context));
  const disk = join(options.scratch, 'disk');
  const mount = join(options.scratch, 'root');
  await context.host.files.write(disk, '');
  await context.host.files.makeDirectory(mount);
  const daemon = await serveDisk(executor, options, disk);
  const nested = await NestedExecutor.start(executor);
  const partition = await findRoot(nested, disk);
  await nested.run([
    'mount',
    '-t',
    partition.filesystem,
    '-o',
    `loop,noatime,offset=${partition.start},sizelimit=${partition.size}${MOUNT_OPTIONS[partition.filesystem] ?? ''}`,
    disk,
    mount,
  ]);
  const root = new GuestRoot(nested, mount, options.onOutput === undefined ? {} : { onOutput: options.onOutput });
  const owned = undo.move();
  return {
    root,
    partition,
    commit: async () => {
      await using _everything = owned;
      await writeOut(nested, mount);
      await nested.run(['umount', mount], { timeout: 300 });
      await stopDaemon(executor, daemon);
      await executor.run(['sync', options.overlay]);
      await executor.run(['qemu-img', 'check', '-q', '-U', options.overlay]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A sibling image has the same XFS UUID, which the kernel refuses to mount twice. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = { xfs: ',nouuid' };

async function writeOut(nested: Executor, mount: string): Promise<void> {
  try {
    await nested.run(['sync', '-f', mount], { timeout: 600 });
  } catch (error) {
    throw new IngotError('space', 'disk-full', 'What was changed could not be written to the disk', {
      cause: error,
      hint: 'Free some space where INGOT_HOME is, then run the same command again.',
      ...(error instanceof IngotError && error.detail !== undefined ? { detail: error.detail } : {}),
    });
  }
}

/** Starts the storage daemon with the overlay as a file, through FUSE. */
async function serveDisk(executor: Executor, options: WorkspaceOptions, disk: string): Promise<BackgroundCommand> {
  const top = 'disk';
  const daemon = await executor.start([
    'qemu-storage-daemon',
    ...chainArguments([...options.chain, options.overlay], { top, writable: true, flag: '--blockdev' }),
    '--export',
    `type=fuse,id=export,node-name=${top},mountpoint=${disk},writable=on`,
  ]);
  const ready = executor.run(['sh', '-c', 'until [ "$(stat -c %s "$1")" -gt 0 ]; do sleep 0.01; done', 'sh', disk], { timeout: DAEMON_TIMEOUT });
  const failed = daemon.ended.then((result: CommandResult): never => {
    throw new IngotError('host', 'workspace-lost', 'The storage daemon could not open the disk', { detail: `${result.stdout}${result.stderr}`.trim() });
  });
  failed.catch(() => undefined);
  await Promise.race([ready, failed]);
  return daemon;
}

async function stopDaemon(executor: Executor, daemon: BackgroundCommand): Promise<void> {
  await executor.run(['kill', '-TERM', String(daemon.pid)]);
  const result = await Promise.race([daemon.ended, sleep(DAEMON_TIMEOUT * 1000, undefined, { ref: false })]);
  if (result === undefined || result.exitCode !== 0) {
    throw new IngotError('host', 'workspace-lost', 'The storage daemon did not close the disk cleanly', {
      detail: result === undefined ? `It was still there after ${DAEMON_TIMEOUT} s.` : result.stderr.trim(),
    });
  }
}

/** Types of a root partition: Linux root of amd64 and arm64 (Discoverable Partitions Specification), and plain Linux data. */
const ROOT_TYPES = ['4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE', '0FC63DAF-8483-4772-8E79-3D69D8477DE4'];

async function findRoot(executor: Executor, disk: string): Promise<RootPartition> {
  const { stdout } = await executor.run(['partx', '--raw', '--noheadings', '--output', 'START,SECTORS,TYPE', disk]);
  const partitions = stdout.split('\n').map((line) => line.trim().split(' '));
  const found = ROOT_TYPES.flatMap((type) => partitions.filter((fields) => fields[2]?.toUpperCase() === type))[0];
  if (found === undefined) throw new IngotError('verification', 'root-missing', 'The disk has no root partition that is known as one');
  const start = Number(found[0]) * SECTOR;
  const probe = await executor.run(['blkid', '--probe', '--offset', String(start), '--output', 'export', disk]);
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(probe.stdout)?.[1] ?? '';
  return { start, size: Number(found[1]) * SECTOR, filesystem: value('TYPE'), uuid: value('UUID') };
}

/** Runs commands in a mount namespace of its own, inside the one of another executor. */
class NestedExecutor implements Executor {
  readonly #outer: Executor;
  readonly #enter: Argv;

  private constructor(outer: Executor, keeper: number) {
    this.#outer = outer;
    this.#enter = ['nsenter', `--mount=/proc/${keeper}/ns/mnt`, '--'];
  }

  static async start(outer: Executor): Promise<NestedExecutor> {
    const keeper = await outer.start(['unshare', '--mount', '--propagation', 'private', '--', 'sleep', 'infinity']);
    const own = 'until [ "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$1/ns/mnt")" ]; do sleep 0.005; done';
    await outer.run(['sh', '-c', own, 'sh', String(keeper.pid)], { timeout: DAEMON_TIMEOUT });
    return new NestedExecutor(outer, keeper.pid);
  }

  run(argv: Argv, options?: ExecuteOptions): Promise<CommandResult> {
    return this.#outer.run([...this.#enter, ...argv], { shown: argv, ...options });
  }

  start(argv: Argv, options?: ExecuteOptions): Promise<BackgroundCommand> {
    return this.#outer.start([...this.#enter, ...argv], { shown: argv, ...options });
  }

  terminalCommand(argv: Argv): Argv {
    return this.#outer.terminalCommand([...this.#enter, ...argv]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The namespace goes with the outer executor.
  }
}
