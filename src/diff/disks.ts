import { makeScratch } from '../base/scratch.ts';
import type { HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { isForeign, type Image } from '../store/model.ts';
import { layerPaths } from '../store/store.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import { choosePlace, openPlace, type Place, type PlaceKind } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';
import { compareFiles, LISTING_FORMAT, parseListing, unsureFiles, type FileChange, type FileList } from './files.ts';

export interface DiskDifference {
  readonly changes: readonly FileChange[];
  readonly before: FileList;
  readonly after: FileList;
}

/** What a sandbox covers with its own: nothing of it belongs to the image. */
const COVERED = ['dev', 'proc', 'run', 'sys', 'tmp'];

/** Seconds; a disk under emulation in a helper VM is slow. */
const TIMEOUT = 1800;

/**
 * Compares the files of two images. Both disks are opened in one place on throw-away overlays, one after the other: file systems of siblings
 * have the same UUID, and some kernels refuse to mount two. Content is read only where size and times cannot tell.
 */
export async function compareDisks(context: Context, before: Image, after: Image, workspace: PlaceKind | undefined): Promise<DiskDifference> {
  await using scratch = await makeScratch(context.host, context.home, 'comparing two images');
  const foreign = [before, after].some((image) => isForeign(image.config['dev.ingot.image'].layers));
  await using place = await openPlace(context, { kind: await choosePlace(context, workspace, { foreign }), scratch: scratch.path });
  const look = <T>(label: string, image: Image, work: (root: GuestRoot) => Promise<T>): Promise<T> =>
    context.events.stage(`${label} ${image.references[0] ?? image.digest}`, () => inDisk(context, place, scratch.path, image, work));

  const old = await look('list', before, listFiles);
  const [unsureOf, haveCommonLayer] = [unsureFiles, before.layers[0]?.digest === after.layers[0]?.digest];
  const second = await look('list', after, async (root) => {
    const young = await listFiles(root);
    const unsure = unsureOf(old, young, haveCommonLayer);
    return { young, unsure, digests: await digestFiles(root, unsure) };
  });
  const digests = second.unsure.length === 0 ? new Map<string, string>() : await look('read', before, (root) => digestFiles(root, second.unsure));
  // A file whose name is no UTF-8 cannot be asked for by it: of the same size, it counts as the same where its time is.
  const same = (path: string): boolean =>
    second.digests.has(path) || digests.has(path)
      ? digests.get(path) === second.digests.get(path)
      : old.get(path)?.modified === second.young.get(path)?.modified;
  return { changes: compareFiles(old, second.young, same, new Set(second.unsure)), before: old, after: second.young };
}

async function inDisk<T>(context: Context, place: Place, scratch: HostPath, image: Image, work: (root: GuestRoot) => Promise<T>): Promise<T> {
  const { size } = image.config['dev.ingot.image'].disk;
  await using workspace = await openThrowAway(context, place, { chain: layerPaths(context.home, image), size, scratch });
  return await work(workspace.root);
}

async function listFiles(root: GuestRoot): Promise<FileList> {
  const covered = COVERED.flatMap((folder, i) => [...(i === 0 ? [] : ['-o']), '-path', `/${folder}`]);
  const { stdout } = await root.run(['find', '/', '-xdev', '(', ...covered, ')', '-prune', '-o', '-printf', LISTING_FORMAT], { timeout: TIMEOUT });
  return parseListing(stdout);
}

/** SHA-256 by path. */
async function digestFiles(root: GuestRoot, paths: readonly string[]): Promise<Map<string, string>> {
  const askable = paths.filter((path) => !path.includes('\uFFFD'));
  if (askable.length === 0) return new Map();
  const { stdout } = await root.run(['xargs', '-0', 'sha256sum', '--zero', '--'], {
    stdin: askable.map((path) => `/${path}\0`).join(''),
    timeout: TIMEOUT,
  });
  return new Map(
    stdout
      .split('\0')
      .filter((record) => record !== '')
      .map((record) => [record.slice(67), record.slice(0, 64)]),
  );
}
