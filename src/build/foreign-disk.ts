import { basename, join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { FileDigests } from '../base/file-digests.ts';
import { replaceFile, type FileStatus } from '../base/files.ts';
import { keyOf } from '../base/hash.ts';
import { takeLock } from '../base/lock.ts';
import { makeScratch } from '../base/scratch.ts';
import { fetchLargeFile } from '../base/transfer/large-file.ts';
import { hexOf, hostPath, parseDigest, parseName, type Digest, type HostPath, type Key, type Name } from '../base/types.ts';
import { loadCatalog } from '../catalog/catalog.ts';
import { identifyDisk, takeDisk } from '../disk/foreign.ts';
import { readQcow2Header } from '../disk/qcow2.ts';
import { requireTools } from '../doctor/install.ts';
import { familyOf } from '../families/families.ts';
import type { Context } from '../operations/operation.ts';
import type { ImageConfig } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { Base } from '../template/template.ts';
import { openPlace } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';
import { readDiskContents, type DiskContents } from './disk-contents.ts';
import { statusFile } from './image-status.ts';

/** Version of how disks are taken in. */
const FORMAT = 1;

export type DiskBase = Extract<Base, { kind: 'file' | 'url' }>;

/**
 * The image of the store that a disk of the user, or one that is downloaded, has become, as `name:tag`: the file's name, and `file-` with the
 * beginning of its SHA-256. Taken in at the first use: checked, copied into a qcow2 of ingot's own, opened in the helper VM, and read; after that nothing
 * is opened. Throws `disk-unknown`, `qcow2-invalid`, `distribution-unsupported`, `arch-unsupported`, `offline-missing`, and what downloading throws.
 */
export async function storedDisk(context: Context, base: DiskBase, options: { readonly offline: boolean }): Promise<string> {
  const { host, home } = context;
  const before = base.kind === 'file' ? await host.files.status(base.path) : undefined;
  const digest = base.kind === 'url' ? parseDigest(`sha256:${base.sha256.toLowerCase()}`) : await digestOf(context, base.path, before);
  const name = nameOf(base);
  const key = keyOf({ format: FORMAT, source: 'disk', sha256: hexOf(digest) });
  const reference = `${name}:file-${hexOf(digest).slice(0, 12)}`;
  if (await isThere(context, reference, key)) return reference;
  await using _lock = await takeLock(host, home, `disk-${hexOf(digest).slice(0, 16)}`, {
    what: `taking ${name} into the store`,
    signal: context.signal,
    onWait: () => context.events.message('info', `Waiting for another command that takes ${name} into the store.`),
  });
  if (await isThere(context, reference, key)) return reference;
  await context.events.stage(`${name} into the store`, async (span) => {
    const path = base.kind === 'file' ? base.path : await download(context, base.url, digest, options.offline, span);
    await takeIn(context, { path, key, name, reference, offline: options.offline });
    if (base.kind === 'url') await host.files.remove(path);
    else if ((await host.files.status(path))?.version !== before?.version) {
      await openStore(host, home).remove(reference, new Map());
      throw new IngotError('conflict', 'input-changed', `${path} changed while it was read`, { hint: 'Run the same command again.' });
    }
  });
  return reference;
}

async function digestOf({ host, home }: Context, path: HostPath, status: FileStatus | undefined): Promise<Digest> {
  if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no ${path}`);
  const digests = await FileDigests.open(host, home);
  const hex = await digests.of(path, status);
  await digests.save();
  return parseDigest(`sha256:${hex}`);
}

async function isThere({ host, home }: Context, reference: string, key: Key): Promise<boolean> {
  try {
    const image = await openStore(host, home).resolve(reference);
    return image.config['dev.ingot.image'].layers[0]?.key === key;
  } catch (error) {
    if (error instanceof IngotError && (error.code === 'image-unknown' || error.code === 'image-damaged')) return false;
    throw error;
  }
}

/** The file's name without what says its format, as a name of an image. */
function nameOf(base: DiskBase): Name {
  const file = base.kind === 'file' ? base.path : new URL(base.url).pathname;
  const stem = basename(file).replace(/\.(qcow2|img|raw|disk)$/i, '');
  const name = stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return parseName(name === '' ? 'disk' : name, 'an image');
}

/** No disk of a template is larger. */
const MOST_DISK = 2 ** 40;

async function download({ host, home, signal, events }: Context, url: string, digest: Digest, offline: boolean, span: Span): Promise<HostPath> {
  const file = { urls: [url], limit: MOST_DISK, digest: { algorithm: 'sha256', hex: hexOf(digest) } } as const;
  const { path } = await fetchLargeFile(host, home, file, {
    offline,
    signal,
    onProgress: (done, total) => span.progress(done, total, 'bytes'),
    onMessage: (level, text) => events.message(level, text),
  });
  return path;
}

interface Taking {
  readonly path: HostPath;
  readonly key: Key;
  readonly name: Name;
  readonly reference: string;
  readonly offline: boolean;
}

async function takeIn(context: Context, { path, key, name, reference, offline }: Taking): Promise<void> {
  const { host, home, signal } = context;
  const start = host.clock.monotonic();
  const disk = await identifyDisk(host.files, path);
  await requireTools(context, ['qemu-img']);
  await using scratch = await makeScratch(host, home, `taking ${name} into the store`);
  const layer = hostPath(join(scratch.path, 'layer.qcow2'));
  await takeDisk(host, disk, layer, signal);
  const { virtualSize } = await readQcow2Header(host.files, layer);
  const { contents, filesystem } = await readContents(context, layer, virtualSize, { scratch: scratch.path, offline });
  const store = openStore(host, home);
  const seconds = (host.clock.monotonic() - start) / 1000;
  const packages = [...contents.packages];
  const record = await store.commitLayer(layer, { key, name, kind: 'disk', virtualSize, seconds, packages, inputs: { sha256: reference } });
  await replaceFile(host.files, statusFile(home, record.digest), contents.status);
  const tag = reference.slice(name.length + 1);
  await store.putImage(configOf(contents, { name, key, digest: record.digest, filesystem, size: virtualSize }), [record], name, [tag]);
}

/** Opens the disk, in the helper VM alone: nobody vouches for its file systems, and the kernel that mounts them is not to be this host's. */
async function readContents(
  context: Context,
  layer: HostPath,
  size: number,
  { scratch, offline }: { readonly scratch: HostPath; readonly offline: boolean },
): Promise<{ contents: DiskContents; filesystem: string }> {
  await using place = await openPlace(context, { kind: 'vm', scratch, offline });
  await using workspace = await openThrowAway(context, place, { chain: [layer], size, scratch });
  return { contents: await readDiskContents(workspace.root, await loadCatalog(context)), filesystem: workspace.partition.filesystem };
}

function configOf(
  { release, arch, packages, kernelArguments, repositories }: DiskContents,
  { name, key, digest, filesystem, size }: { name: Name; key: Key; digest: Digest; filesystem: string; size: number },
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
      disk: { size, filesystem },
      defaultUser: release.defaultUser,
      kernelArguments: [...(kernelArguments.length === 0 ? familyOf(release.family).kernelArguments : kernelArguments)],
      repositories: [...repositories],
      expiredMetadata: false,
      layers: [{ name, kind: 'disk', key, packages: [...packages] }],
    },
  };
}
