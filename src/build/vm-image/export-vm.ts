import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { replaceFile } from '../../base/files.ts';
import { keyOf } from '../../base/hash.ts';
import { makeScratch } from '../../base/scratch.ts';
import { formatSize, hostPath, type HostPath, type Name } from '../../base/types.ts';
import { loadCatalog } from '../../catalog/catalog.ts';
import { compressLayer } from '../../disk/compress.ts';
import { mergeAbove, type SplitChain } from '../../disk/merge.ts';
import { requireTools } from '../../doctor/install.ts';
import { familyOf } from '../../families/families.ts';
import type { Context } from '../../operations/operation.ts';
import { makeOverlay } from '../../platforms/local/overlay.ts';
import { loadVm, type VmRecord } from '../../platforms/local/vms.ts';
import { VM_LAYER, type Image } from '../../store/model.ts';
import { openStore } from '../../store/store.ts';
import { writeOrFull } from '../../store/writing.ts';
import { openPlace } from '../../workspace/place.ts';
import { openThrowAway } from '../../workspace/throw-away.ts';
import { openWorkspace } from '../../workspace/workspace.ts';
import { baseRecords } from '../cached.ts';
import { baseImage } from '../base-image.ts';
import { readDiskContents, type DiskContents } from '../disk-contents.ts';
import { finishImage, gateFailed, proveImage, tagTaken, type ImageTarget } from '../finish-image.ts';
import { PLACE_TOOLS } from '../host.ts';
import { statusFile } from '../image-status.ts';
import type { FinishedImage } from '../images.ts';
import { newRepositories, packageChanges, vmImageConfig } from './config.ts';
import { sealMachine } from './seal.ts';
import { chainNow, takeDisk, type TakenDisk, type TakeOptions } from './take.ts';

/** Version of how a VM's disk becomes a layer. */
const FORMAT = 1;
/** Bytes for what is small, and for what a seal writes. */
const SLACK = 256 * 2 ** 20;

export interface VmExport extends TakeOptions {
  readonly vm: Name;
  /** What the image is called, and what it has to pass. */
  readonly target: ImageTarget;
  /** Make it a golden image again: without identity, logs, leases, keys and passwords. */
  readonly seal: boolean;
}

/**
 * Makes an image of a VM's root disk: one layer, above those of the image that the VM was made from. A running VM goes on at once; what is done to
 * the disk is done to a copy. The tags move when the gate was passed. Throws what taking the disk throws, `export-no-space`, `image-gone`,
 * `gate-failed`, `tag-taken`.
 */
export async function exportVm(context: Context, request: VmExport): Promise<FinishedImage> {
  const { host, home, events, signal } = context;
  const start = host.clock.monotonic();
  const { target } = request;
  const now = await loadVm(host, home, request.vm);
  const image = await imageOf(context, now);
  const bytes = await checkSpace(context, request.vm, chainNow(context, now, request.snapshot));
  const details = image.config['dev.ingot.image'];
  await requireTools(context, ['qemu-img', ...PLACE_TOOLS.vm]);
  await checkTags(context, target);
  await using scratch = await makeScratch(host, home, `vm export ${request.vm}`);
  const overlay = hostPath(join(scratch.path, 'overlay.qcow2'));
  const output = hostPath(join(scratch.path, 'layer.qcow2'));
  const { vm, size, below, taken } = await copyDisk(context, request, { scratch: scratch.path, overlay, bytes });
  const contents = await openDisk(context, request, { image, below, overlay, size, scratch: scratch.path });
  await events.stage('compress', () => writeOrFull(host, output, bytes, () => compressLayer(host, below, overlay, output, signal)));
  await host.files.remove(overlay);

  const parents = baseRecords(baseImage(image, vm.image.reference));
  const source = {
    vm: vm.name,
    id: vm.id,
    ...(request.snapshot === undefined ? {} : { snapshot: request.snapshot }),
    taken: taken.toISOString(),
    sealed: request.seal,
  };
  const changes = contents === undefined ? { packages: [], removed: [] } : packageChanges(image, contents.packages);
  // What a VM has written can be made from nothing else: its key only tells it from others.
  const key = keyOf({ format: FORMAT, source: VM_LAYER, below: image.digest, size, ...source });
  const name = `vm ${vm.name}`;
  const record = await events.stage('store', async () => {
    const parent = parents.at(-1)?.digest;
    const stored = await openStore(host, home).commitLayer(output, {
      key,
      name,
      kind: VM_LAYER,
      ...(parent === undefined ? {} : { parent }),
      virtualSize: size,
      seconds: (host.clock.monotonic() - start) / 1000,
      packages: [...changes.packages],
      ...(changes.removed.length === 0 ? {} : { removed: [...changes.removed] }),
      inputs: { vm: vm.name, id: vm.id, image: image.digest, taken: source.taken },
    });
    if (contents !== undefined) await replaceFile(host.files, statusFile(home, stored.digest), contents.status);
    return stored;
  });
  const config = vmImageConfig(
    { name: target.name, image, reference: vm.image.reference, source, size, contents },
    { name, key, digest: record.digest, ...changes },
  );
  const content = {
    config,
    records: [...parents, record],
    layers: [
      ...parents.map((parent) => ({ name: parent.name, record: parent, cached: true, seconds: 0 })),
      { name, record, cached: false, seconds: record.seconds },
    ],
  };
  for (const address of newRepositories(image, contents)) events.message('info', `The image keeps a package source of the VM: ${address}`);
  if (details.release !== config['dev.ingot.image'].release) events.message('info', `The VM has become ${config['dev.ingot.image'].release}`);
  const proven = await proveImage(context, target, content);
  if (proven.gate.result === 'failed') throw gateFailed(target.name, proven.image, proven.gate);
  return await finishImage(context, target, content, proven);
}

/** The image that a VM was made from. Throws `image-gone`. */
async function imageOf({ host, home }: Context, vm: VmRecord): Promise<Image> {
  try {
    return await openStore(host, home).resolve(vm.image.digest);
  } catch (error) {
    if (!(error instanceof IngotError) || !['image-unknown', 'image-damaged'].includes(error.code)) throw error;
    throw new IngotError(
      'verification',
      'image-gone',
      `The image ${vm.image.reference} that ${vm.name} was made from is not in the store any more, or is damaged`,
      {
        cause: error,
        hint: 'Build or load the same image again: the exported one stands on its layers.',
        detail: error.message,
      },
    );
  }
}

/**
 * Where the name is an image's already, its tag `latest` moves, as it does when something is built: that is said. Throws `tag-taken` where the other
 * tag is an image's: no other image has the bytes of this one.
 */
async function checkTags({ host, home, events }: Context, { name, tag }: ImageTarget): Promise<void> {
  const taken = (await openStore(host, home).list()).filter((image) => image.name === name);
  if (tag !== undefined && taken.some((image) => image.tag === tag)) throw tagTaken(name, tag);
  const latest = taken.find((image) => image.tag === 'latest');
  if (latest !== undefined) events.message('info', `${name}:latest is ${latest.digest.slice(7, 19)} now; it moves to this image when that has passed its gate`);
}

interface CopiedDisk extends Pick<TakenDisk, 'vm' | 'size' | 'taken'> {
  readonly below: readonly HostPath[];
}

/** Takes the VM's disk and copies what it holds above its image into an overlay on that; after this, the VM is free. */
async function copyDisk(
  context: Context,
  request: VmExport,
  { scratch, overlay, bytes }: { readonly scratch: HostPath; readonly overlay: HostPath; readonly bytes: number },
): Promise<CopiedDisk> {
  const { host, events, signal } = context;
  await using disk = await takeDisk(context, request.vm, scratch, request);
  const { vm, size, chain, taken } = disk;
  const top = chain.below.at(-1);
  if (top === undefined) throw new IngotError('internal', 'image-empty', `The image of ${vm.name} has no layers`);
  await makeOverlay(host, overlay, top, size);
  await events.stage('copy', (span) =>
    writeOrFull(host, overlay, bytes, () =>
      mergeAbove(host, chain, overlay, { signal, onFile: (done) => span.progress(done, chain.above.length, 'items', formatSize(bytes)) }),
    ),
  );
  return { vm, size, taken, below: chain.below };
}

/** The bytes that the VM's files take; throws `export-no-space` where they, and the layer made of them, do not fit. */
async function checkSpace({ host, home }: Context, name: Name, { above }: SplitChain): Promise<number> {
  const found = await Promise.all(above.map((path) => host.files.status(path)));
  const bytes = found.reduce((sum, status) => sum + (status?.allocated ?? 0), 0);
  const free = await host.files.freeSpace(home.root);
  const needed = 2 * bytes + SLACK;
  if (free >= needed) return bytes;
  throw new IngotError('space', 'export-no-space', `Exporting ${name} needs up to ${formatSize(needed)} in ${home.root}, which has ${formatSize(free)} free`, {
    hint: 'Free some space there (`ingot image prune` removes what nothing uses), or set INGOT_HOME to a larger disk.',
    detail: `${name} has written ${formatSize(bytes)}: they are copied, and the copy is compressed.`,
  });
}

/**
 * Opens the copied disk and reads what is on it; with a seal, it is made a golden image. In the helper VM alone: its file systems were written by a
 * machine that could do what it liked, and the kernel that mounts them is not to be this host's.
 */
async function openDisk(
  context: Context,
  { vm, seal }: VmExport,
  disk: { readonly image: Image; readonly below: readonly HostPath[]; readonly overlay: HostPath; readonly size: number; readonly scratch: HostPath },
): Promise<DiskContents | undefined> {
  const { image, below, overlay, size, scratch } = disk;
  const details = image.config['dev.ingot.image'];
  // Only of these is it known how packages are read.
  const isRead = familyOf(details.family).planned !== undefined;
  await using undo = new AsyncDisposableStack();
  const workspace = await context.events.stage('open the copy in the helper VM', async () => {
    const place = undo.use(await openPlace(context, { kind: 'vm', scratch }));
    if (seal) return undo.use(await openWorkspace(place, { chain: below, overlay, scratch }));
    return undo.use(await openThrowAway(context, place, { chain: [...below, overlay], size, scratch }));
  });
  return await context.events.stage(seal ? 'seal' : 'read', async () => {
    const contents = isRead ? await readDiskContents(workspace.root, await loadCatalog(context)) : undefined;
    refuseSecrets(vm, contents);
    if (!seal) return contents;
    await sealMachine(context, workspace, vm, details);
    await workspace.commit();
    return contents;
  });
}

/** An image's config tells its package sources to everybody. */
function refuseSecrets(vm: Name, contents: DiskContents | undefined): void {
  const secret = contents?.repositories.find((address) => /^\w[\w+]*:\/\/[^/]*@/.test(address));
  if (secret === undefined) return;
  const shown = secret.replace(/\/\/[^/]*@/, '//***@');
  throw new IngotError('usage', 'source-has-password', `A package source of ${vm} holds a password, which would be in the image: ${shown}`, {
    hint: 'Take it out of the address in the VM: apt reads passwords from /etc/apt/auth.conf.d. Those files would be in the image, too.',
  });
}
