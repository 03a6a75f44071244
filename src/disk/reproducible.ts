import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { isForeign, type Image } from '../store/model.ts';
import { layerPaths, openStore } from '../store/store.ts';
import type { FoundPartition } from '../workspace/partitions.ts';
import { choosePlace, openPlace, type Place, type PlaceKind } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { buildWindows, findCondition, newestOwnTime, type TimeWindow } from './build-times.ts';
import { mke2fsLike, parseExt4, timeCommands, usedInodes } from './ext4.ts';
import { emptyQcow2 } from './qcow2.ts';

const DISK_INSIDE = '/tmp/disk.raw';
const TREE_INSIDE = '/tmp/tree';

const UNMOUNT_SECONDS = 300;

/** A file system of the image, mounted alone: what is mounted within it is not seen there. */
interface Tree {
  /** Where it belongs in the image. */
  readonly path: string;
  readonly partition: FoundPartition;
  readonly folder: string;
}

export interface ReproducibleOptions {
  readonly workspace?: PlaceKind | undefined;
  /** A scratch folder of this process. */
  readonly scratch: HostPath;
  readonly onStage?: (what: string) => void;
}

/**
 * Makes a disk with the same content as an image, whose bytes follow from that content alone: files that carry the time of
 * the build get one time, and every ext4 file system is laid out anew from its tree, with its own identifiers. Everything else
 * (partition table, boot loaders, EFI system partition) is copied. Returns the disk as a qcow2 in `scratch`. xfs and btrfs are
 * copied, too, since only the kernel fills them, in an order of its own: of them the tree is the same, not the bytes.
 */
export async function reproducibleDisk(context: Context, image: Image, options: ReproducibleOptions): Promise<HostPath> {
  const { host, home } = context;
  const { scratch } = options;
  const { size } = image.config['dev.ingot.image'].disk;
  const output = hostPath(join(scratch, 'again.qcow2'));
  await host.files.write(output, emptyQcow2({ virtualSize: size }));
  const foreign = isForeign(image.config['dev.ingot.image'].layers);
  await using place = await openPlace(context, { kind: await choosePlace(context, options.workspace, { foreign }), scratch });
  await using target = await place.attach({ chain: [], overlay: output, scratch });
  {
    // Times are changed on an overlay that is thrown away.
    await using workspace = await openThrowAway(context, place, { chain: layerPaths(home, image), size, scratch });
    options.onStage?.('times of files');
    const trees = await bindTrees(place, workspace);
    const epoch = await levelTimes(context, image, workspace, trees);
    const anew = trees.filter(({ partition }) => partition.filesystem === 'ext4');
    for (const tree of anew) {
      options.onStage?.(`file system of ${tree.path}`);
      await layOut(workspace, tree, target.path, epoch);
    }
    options.onStage?.('partition table and boot loaders');
    for (const { folder } of trees) await workspace.executor.run(['umount', folder], { timeout: UNMOUNT_SECONDS });
    await workspace.executor.run(['umount', '--recursive', workspace.root.path], { timeout: UNMOUNT_SECONDS });
    await copyBetween(
      workspace,
      target.path,
      size,
      anew.map(({ partition }) => partition),
    );
  }
  // A device may have some of it in its cache still.
  await place.executor.run(['sync', target.path]);
  await target.detach();
  return output;
}

/** Copies what is no file system that is made anew: parts of the disk, in order, with their gaps. */
async function copyBetween(workspace: Workspace, target: string, size: number, partitions: readonly FoundPartition[]): Promise<void> {
  for (const { from, to } of gaps(size, partitions)) {
    const range = ['iflag=skip_bytes,count_bytes', 'oflag=seek_bytes', `skip=${from}`, `seek=${from}`, `count=${to - from}`];
    await workspace.executor.run(['dd', `if=${workspace.disk}`, `of=${target}`, 'bs=1M', ...range, 'conv=notrunc,sparse', 'status=none'], { timeout: 1800 });
  }
}

/** What partitions leave of a disk, in bytes. */
export function gaps(size: number, partitions: readonly Pick<FoundPartition, 'start' | 'size'>[]): { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  let at = 0;
  for (const { start, size: length } of partitions.toSorted((a, b) => a.start - b.start)) {
    if (start > at) found.push({ from: at, to: start });
    at = Math.max(at, start + length);
  }
  if (at < size) found.push({ from: at, to: size });
  return found;
}

async function bindTrees(place: Place, workspace: Workspace): Promise<Tree[]> {
  const all = [{ path: '/', partition: workspace.partition }, ...workspace.mounts];
  const trees: Tree[] = [];
  for (const { path, partition } of all) {
    const { stdout } = await workspace.executor.run(['mktemp', '-d', join(place.folder, 'tree-XXXXXX')]);
    const folder = stdout.trim();
    await workspace.executor.run(['mount', '--bind', join(workspace.root.path, path), folder]);
    trees.push({ path, partition, folder });
  }
  return trees;
}

/** Gives everything that was written by a build one time: the newest that another thing in the image has. Returns it. */
async function levelTimes({ host, home }: Context, image: Image, workspace: Workspace, trees: readonly Tree[]): Promise<number> {
  const windows = await windowsOf({ host, home }, image, workspace);
  const { root } = workspace;
  const times: number[] = [];
  for (const { folder } of trees) {
    const { stdout } = await root.run(['find', TREE_INSIDE, '-xdev', '-printf', '%T@\\n'], { bind: { [TREE_INSIDE]: folder } });
    for (const line of stdout.split('\n')) if (line !== '') times.push(Number(line));
  }
  const epoch = newestOwnTime(times, windows);
  for (const { folder } of trees) {
    const touch = ['-exec', 'touch', '--no-dereference', `--date=@${epoch}`, '{}', '+'];
    await root.run(['find', TREE_INSIDE, '-xdev', ...findCondition(windows), ...touch], { bind: { [TREE_INSIDE]: folder } });
  }
  return epoch;
}

async function windowsOf({ host, home }: Pick<Context, 'host' | 'home'>, image: Image, workspace: Workspace): Promise<TimeWindow[]> {
  const store = openStore(host, home);
  const records = await Promise.all(
    image.config['dev.ingot.image'].layers.map(async ({ key }, i) => {
      const record = await store.findLayer(key);
      return record?.digest === image.layers[i]?.digest ? record : undefined;
    }),
  );
  const { stdout } = await workspace.root.run(['stat', '--format=%W', '/']);
  return buildWindows(records, Number(stdout.trim()));
}

async function layOut({ root, disk }: Workspace, { partition, folder }: Tree, target: string, epoch: number): Promise<void> {
  const at = `${DISK_INSIDE}?offset=${partition.start}`;
  // The first is for e2fsprogs before 1.47.1, the second for later ones.
  const env = { E2FSPROGS_FAKE_TIME: String(epoch), SOURCE_DATE_EPOCH: String(epoch) };
  const bind = { [DISK_INSIDE]: target, [TREE_INSIDE]: folder };
  const before = await root.run(['dumpe2fs', '-h', at], { readOnly: { [DISK_INSIDE]: disk } });
  const like = parseExt4(before.stdout);
  await root.run(mke2fsLike(like, { start: partition.start, disk: DISK_INSIDE, tree: TREE_INSIDE }), { bind, env, timeout: 1800 });
  const made = await root.run(['dumpe2fs', at], { bind });
  const commands = timeCommands(usedInodes(made.stdout, like.inodes), epoch, like.inodeSize);
  const changed = await root.run(['sh', '-ec', 'cat >/tmp/commands; debugfs -w -f /tmp/commands "$1" >/dev/null', 'sh', at], { stdin: commands, bind, env });
  // debugfs says what it could not do, and ends well; its first line is its version.
  const complaints = changed.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('debugfs '));
  if (complaints.length > 0)
    throw new IngotError('command', 'command-failed', 'debugfs could not set the times of files', { detail: complaints.slice(0, 20).join('\n') });
  await root.run(['e2fsck', '-f', '-n', at], { bind, env });
}
