import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Executor } from './executor.ts';
import { growMounted, growPartition, growUnmounted } from './grow.ts';
import { GuestRoot } from './guest-root.ts';
import { NestedExecutor } from './nested.ts';
import { readPartitionTable, type FoundPartition } from './partition-table.ts';
import { mountOthers, mountRoot, type PlannedMount, type RootPartition } from './partitions.ts';
import type { AttachOptions, Place } from './place.ts';

export interface WorkspaceOptions extends AttachOptions {
  /** The root is made as large as the disk. */
  readonly grow?: boolean;
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
}

/**
 * An opened, writable disk. Nothing that was changed counts until {@link commit} has returned: it alone notices a
 * full disk, since writing, unmounting and the disk's closing all report success then.
 */
export interface Workspace extends AsyncDisposable {
  readonly root: GuestRoot;
  readonly partition: RootPartition;
  /** Everything on the disk that can hold a file system. */
  readonly parts: readonly FoundPartition[];
  /** Further partitions, mounted below the root. */
  readonly mounts: readonly PlannedMount[];
  /** The whole disk as the executor sees it. */
  readonly disk: string;
  /** Runs commands where the disk is mounted, outside of the root. */
  readonly executor: Executor;
  /** Writes everything to the overlay and closes it; throws `disk-full` or `workspace-lost`. Nothing can be done with the workspace afterwards. */
  commit(): Promise<void>;
}

/**
 * Opens a disk in a place and mounts its root. The file systems live in a mount namespace nested in the place's, which goes with the
 * workspace: one that failed leaves nothing mounted to the next. Throws `root-missing`, `filesystem-unsupported`, `root-not-last`, `workspace-lost`.
 */
export async function openWorkspace(place: Place, options: WorkspaceOptions): Promise<Workspace> {
  await using undo = new AsyncDisposableStack();
  const disk = undo.use(await place.attach(options));
  // In a helper VM without hardware assistance every program takes its time to start: what can be done at once is.
  const nesting = NestedExecutor.start(place.executor, place.folder);
  undo.defer(async () => await (await nesting.catch(() => undefined))?.[Symbol.asyncDispose]());
  const [nested, asItWas] = await Promise.all([nesting, readPartitionTable(place.executor, disk.path)]);
  const mount = nested.folder;
  let [parts, found] = [asItWas, await mountRoot(nested, disk.path, asItWas, mount)];
  if (options.grow === true) {
    await nested.run(['umount', mount], { timeout: UNMOUNT_SECONDS });
    await growPartition(nested, disk.path, parts, found.partition);
    parts = await readPartitionTable(place.executor, disk.path);
    const grown = parts.find(({ start, filesystem }) => start === found.partition.start && filesystem === found.partition.filesystem);
    if (grown !== undefined) await growUnmounted(nested, disk.path, grown, mount);
    found = await mountRoot(nested, disk.path, parts, mount);
    await growMounted(nested, mount, found.partition);
  }
  let mounted = true;
  undo.defer(() => (mounted ? unmountAnyhow(nested, mount) : undefined));
  const root = new GuestRoot(nested, mount, options.onOutput === undefined ? {} : { onOutput: options.onOutput });
  const mounts = await mountOthers(nested, disk.path, mount, parts, found);
  const owned = undo.move();
  return {
    root,
    partition: found.partition,
    parts,
    mounts,
    disk: disk.path,
    executor: nested,
    commit: async () => {
      await using _everything = owned;
      for (const folder of [...mounts.map(({ path }) => join(mount, path)), mount]) await writeOut(nested, folder);
      await nested.run(['umount', '--recursive', mount], { timeout: UNMOUNT_SECONDS });
      mounted = false;
      await disk.detach();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const UNMOUNT_SECONDS = 300;

/** Unmounts what a failed step may still use; after a commit there is nothing to do. A place that is gone has taken its mounts along. */
async function unmountAnyhow(nested: Executor, mount: string): Promise<void> {
  const script = 'if mountpoint -q "$1"; then umount --recursive "$1" 2>/dev/null || umount --lazy --recursive "$1"; fi';
  await nested.run(['sh', '-c', script, 'sh', mount], { timeout: UNMOUNT_SECONDS }).catch(() => undefined);
}

async function writeOut(nested: Executor, mount: string): Promise<void> {
  try {
    await nested.run(['sync', '-f', mount], { timeout: 600 });
  } catch (error) {
    if (error instanceof IngotError && error.code !== 'command-failed') throw error;
    throw new IngotError('space', 'disk-full', 'What was changed could not be written to the disk', {
      cause: error,
      hint: 'Free some space where INGOT_HOME is, then run the same command again.',
      ...(error instanceof IngotError && error.detail !== undefined ? { detail: error.detail } : {}),
    });
  }
}
