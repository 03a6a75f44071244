import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { replaceFile } from '../base/files.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, hostPath, type Digest, type HostPath, type Key, type Name } from '../base/types.ts';
import { loadCatalog } from '../catalog/catalog.ts';
import type { Release } from '../catalog/schema.ts';
import { tellLimits } from '../disk/confine.ts';
import { checkDisk, identifyDisk, packingOf, takeDisk, type ForeignDisk } from '../disk/foreign.ts';
import { PARTITION_TYPES } from '../disk/layout.ts';
import { readQcow2Header } from '../disk/qcow2.ts';
import { requireTools } from '../doctor/install.ts';
import { familyOf } from '../families/families.ts';
import type { Context } from '../operations/operation.ts';
import { unpack } from '../sources/cloud-image/unpack.ts';
import type { ImageConfig } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { choosePlace, openPlace, type Place, type PlaceKind } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';
import { growsAtStart } from '../workspace/grow.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { checkCpu } from './cpu.ts';
import { readDiskContents, type DiskContents } from './disk-contents.ts';
import { statusFile } from './image-status.ts';
import { findTree, makeTreeLayer } from './root-tree.ts';

/** A file that holds a disk, and what becomes of it in the store. */
export interface NewDisk {
  readonly path: HostPath;
  /** SHA-256 of the file that it came as. */
  readonly digest: Digest;
  readonly key: Key;
  readonly name: Name;
  readonly tag: string;
  /** The disk in an archive, with * for what changes. */
  readonly member?: string | undefined;
  /** A signature vouches for it: it may be opened on this host, and is taken as it is. */
  readonly vouched: boolean;
  /** It is the cloud image of a release of the catalog. */
  readonly cloudImage?: { readonly release: Release; readonly arch: string };
  /** An installer has made it; `digest` is that of its medium. */
  readonly installed?: { readonly release: Release; readonly arch: string };
  readonly offline: boolean;
}

/** Whether the store has what a disk became. */
export async function isTaken({ host, home }: Context, reference: string, key: Key): Promise<boolean> {
  try {
    const image = await openStore(host, home).resolve(reference);
    return image.config['dev.ingot.image'].layers[0]?.key === key;
  } catch (error) {
    if (error instanceof IngotError && (error.code === 'image-unknown' || error.code === 'image-damaged')) return false;
    throw error;
  }
}

/**
 * Makes an image of one layer of a disk: unpacked, checked by its header, opened and read. What no signature vouches for is copied into a qcow2 of ingot's
 * own and opened in the helper VM alone. The archive of a release's root file system is unpacked to a new disk there. Throws `disk-unknown`, `archive-unsafe`, `qcow2-invalid`, `vmdk-invalid`, `unpack-too-large`, `root-missing`,
 * `distribution-unsupported`, `release-differs`, `arch-unsupported`.
 */
export async function takeIn(context: Context, wanted: NewDisk): Promise<void> {
  const { host, home } = context;
  const { key, name, tag, vouched, digest, cloudImage } = wanted;
  const start = host.clock.monotonic();
  await using scratch = await makeScratch(host, home, `taking ${name} into the store`);
  const layer = hostPath(join(scratch.path, 'layer.qcow2'));
  const file = await unpacked(context, wanted, scratch.path);
  const tree = wanted.cloudImage === undefined || wanted.member !== undefined ? undefined : await findTree(context, wanted.cloudImage, file);
  if (tree === undefined) await makeLayerFile(context, wanted, file, layer);
  const kind = await placeOf(context, wanted);
  await using place = await openPlace(context, { kind, scratch: scratch.path, offline: wanted.offline });
  if (tree !== undefined) await makeTreeLayer(context, place, tree, { file, layer, digest, scratch: scratch.path });
  const { virtualSize } = await readQcow2Header(host.files, layer);
  const found = await look(context, place, layer, virtualSize, wanted, scratch.path);
  const store = openStore(host, home);
  const seconds = (host.clock.monotonic() - start) / 1000;
  const packages = [...found.packages];
  const { installed } = wanted;
  const known = cloudImage ?? installed;
  const source = !isVouched(wanted) ? 'disk' : installed === undefined ? 'cloud-image' : 'installed';
  const inputs = {
    [installed === undefined ? 'sha256' : 'medium']: hexOf(digest),
    ...(known === undefined ? {} : { release: known.release.id, arch: known.arch }),
  };
  const record = await store.commitLayer(layer, { key, name, kind: source, virtualSize, seconds, packages, inputs });
  if (found.status !== '') await replaceFile(host.files, statusFile(home, record.digest), found.status);
  const config = configOf(found, {
    name,
    key,
    kind: source,
    digest: record.digest,
    size: virtualSize,
    origin: {
      ...(cloudImage === undefined ? {} : { cloudImage: { digest, vouched, ...(tree === undefined ? {} : { tree: true as const }) } }),
      ...(installed === undefined ? {} : { installed: { medium: digest, key, vouched } }),
    },
  });
  await store.putImage(config, [record], name, [tag]);
}

/** A file system that this host's kernel may be too old for is for the helper VM, like one that nobody vouches for. */
function isVouched({ vouched, cloudImage, installed }: NewDisk): boolean {
  return vouched && (cloudImage ?? installed)?.release.traps.includes('newer-btrfs') !== true;
}

/** The file itself, or what was packed in it, in a scratch folder. */
async function unpacked(context: Context, { path, member, name, cloudImage }: NewDisk, scratch: string): Promise<HostPath> {
  const { host, events, signal } = context;
  await requireTools(context, ['qemu-img']);
  await tellLimits(context);
  const found = await packingOf(host.files, path);
  const packing = member === undefined ? found : (found ?? 'tar');
  if (packing === undefined || (packing === 'tar' && member === undefined && cloudImage !== undefined)) return path;
  if (packing === 'tar' && member === undefined) throw anArchive(path);
  await requireTools(context, packing === 'xz' || packing === 'bz2' || packing === 'zst' ? [UNPACKERS[packing]] : []);
  const file = hostPath(join(scratch, 'unpacked'));
  const stage = events.span('stage', `unpacking ${name}`);
  try {
    await unpack(host, path, file, {
      packing,
      ...(member === undefined ? {} : { member }),
      signal,
      onProgress: (done) => stage.progress(done, undefined, 'bytes'),
    });
    stage.end('done');
  } catch (error) {
    stage.end('failed');
    throw error;
  }
  if (cloudImage === undefined && (await packingOf(host.files, file)) === 'tar') throw anArchive(path);
  return file;
}

function anArchive(path: HostPath): IngotError {
  return new IngotError('verification', 'disk-unknown', `${path} is an archive, and nothing says which file of it is the disk`, {
    hint: 'Unpack it first. The root file system of a release is taken as `from: { release: …, file: … }`.',
  });
}

async function makeLayerFile({ host, signal }: Context, { vouched, installed }: NewDisk, file: HostPath, layer: HostPath): Promise<void> {
  const disk = await identifyDisk(host.files, file);
  // What an installer has written is compressed, like every layer.
  if (vouched && installed === undefined && (await isLayer(host.files, disk))) {
    await checkDisk(host, disk, signal);
    // The same bytes twice would take their room twice; a file of the user is never ours to move.
    await host.files.link(file, layer).catch(() => host.files.copy(file, layer));
  } else await takeDisk(host, disk, layer, signal);
}

const UNPACKERS = { xz: 'xz', zst: 'zstd', bz2: 'bzip2' } as const;

/** A qcow2 without snapshots of its own can be a layer as it is. */
async function isLayer(files: Context['host']['files'], disk: ForeignDisk): Promise<boolean> {
  return disk.format === 'qcow2' && (await readQcow2Header(files, disk.path)).snapshots === 0;
}

interface Found extends DiskContents {
  readonly filesystem: string;
  readonly firmware: 'bios' | 'uefi' | 'both';
  readonly grows: boolean;
}

/** Where it is opened, whose processor has to run its programs. */
async function placeOf(context: Context, wanted: NewDisk): Promise<PlaceKind> {
  const { workspace: setting } = context.settings;
  const kind = isVouched(wanted) ? await choosePlace(context, setting === 'auto' ? undefined : setting) : 'vm';
  const known = wanted.cloudImage ?? wanted.installed;
  if (known !== undefined) await checkCpu(context, known.release, known.arch, kind);
  return kind;
}

async function look(context: Context, place: Place, layer: HostPath, size: number, wanted: NewDisk, scratch: HostPath): Promise<Found> {
  await using workspace = await openThrowAway(context, place, { chain: [layer], size, scratch });
  const { release, arch } = wanted.cloudImage ?? wanted.installed ?? {};
  const contents = await readDiskContents(workspace.root, await loadCatalog(context), release);
  if (arch !== undefined && contents.arch !== arch) {
    throw new IngotError(
      'verification',
      'arch-unsupported',
      `The image of ${contents.release.id} for ${arch} is for ${contents.arch || 'another architecture'}`,
    );
  }
  const { parts, partition } = workspace;
  return { ...contents, filesystem: partition.filesystem, firmware: await firmwareOf(workspace, contents.arch), grows: growsAtStart(parts, partition) };
}

const BOOT_CODE = 440;

/** What can start the disk: UEFI wants an EFI system partition, BIOS code in the first sector. */
async function firmwareOf({ parts, executor, disk }: Workspace, arch: string): Promise<Found['firmware']> {
  const uefi = parts.some(({ type = '' }) => type === PARTITION_TYPES.efi || type === '0xef');
  const { stdout } = await executor.run(['sh', '-ec', 'head -c "$2" "$1" | tr -d "\\000" | wc -c', 'sh', disk, String(BOOT_CODE)]);
  const bios = arch === 'amd64' && Number(stdout) > 0;
  return uefi && bios ? 'both' : uefi ? 'uefi' : 'bios';
}

function configOf(
  { release, arch, packages, kernelArguments, repositories, filesystem, firmware, grows }: Found,
  {
    name,
    key,
    kind,
    digest,
    size,
    origin,
  }: {
    readonly name: Name;
    readonly key: Key;
    readonly kind: string;
    readonly digest: Digest;
    readonly size: number;
    readonly origin: Pick<ImageConfig['dev.ingot.image'], 'cloudImage' | 'installed'>;
  },
): ImageConfig {
  return {
    architecture: arch,
    os: 'linux',
    'os.version': release.version,
    rootfs: { type: 'layers', diff_ids: [digest] },
    'dev.ingot.image': {
      v: 1,
      template: name,
      release: release.id,
      family: release.family,
      kernel: packages.some((item) => /^linux-image-.*cloud/.test(item.name)) ? 'cloud' : 'generic',
      disk: { size, filesystem, ...(firmware === 'both' ? {} : { firmware }), ...(grows ? {} : { grows }) },
      defaultUser: release.defaultUser,
      kernelArguments: [...(kernelArguments.length === 0 ? familyOf(release.family).kernelArguments : kernelArguments)],
      repositories: [...repositories],
      expiredMetadata: false,
      ...origin,
      layers: [{ name, kind, key, packages: [...packages] }],
    },
  };
}
