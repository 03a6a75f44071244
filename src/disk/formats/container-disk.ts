import { createHash } from 'node:crypto';
import type { Host } from '../../base/host.ts';
import { hexOf, parseDigest, type Digest, type HostPath } from '../../base/types.ts';
import { TAR_END, tarHeader, tarPadding } from '../../store/tar.ts';
import { MEDIA_TYPES } from '../../store/media.ts';
import { LAYOUT_MARKER } from '../../store/writing.ts';
import { convertChain, type ConvertOptions } from '../convert.ts';
import { emptyQcow2 } from '../qcow2.ts';

/*
 * A containerDisk of KubeVirt: a container image whose one layer has the disk in `/disk`, for the user 107, as which its QEMU runs. The archive is an OCI layout
 * in a tar file. The disk is written where it will stay: at an offset in the archive, inside the layer's tar; what goes around it is put there afterwards.
 */

const QEMU_USER = 107;
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const BLOCK = 512;
/** Before the disk: the header of the layer in the archive, and those of the folder and the disk in the layer. */
const LAYER_AT = BLOCK;
const DISK_AT = 3 * BLOCK;
const READ = 4 * 2 ** 20;

export interface ContainerDiskOptions extends Omit<ConvertOptions, 'output'> {
  readonly chain: readonly HostPath[];
  readonly size: number;
  readonly architecture: string;
  /** `name:tag` in the archive's index. */
  readonly reference: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Writes the archive to a new file. Returns where the qcow2 is in it. */
export async function writeContainerDisk(host: Host, part: string, options: ContainerDiskOptions): Promise<{ position: number; size: number }> {
  const { files } = host;
  await files.write(part, Buffer.concat([Buffer.alloc(DISK_AT), emptyQcow2({ virtualSize: options.size })]));
  const target = `driver=qcow2,file.driver=raw,file.offset=${DISK_AT},file.file.driver=file,file.file.filename=${part.replaceAll(',', ',,')}`;
  await convertChain(host, options.chain, target, { ...options, output: ['-n', '-c', '--target-image-opts'] });
  await files.sync(part);
  const size = ((await files.status(part))?.size ?? 0) - DISK_AT;
  await files.append(part, Buffer.concat([tarPadding(size), TAR_END]));
  const layerSize = 2 * BLOCK + size + tarPadding(size).length + TAR_END.length;
  const inner = [tarHeader('disk/', 0, { directory: true, owner: QEMU_USER }), tarHeader('disk/disk.qcow2', size, { mode: 0o440, owner: QEMU_USER })];
  await files.writePart(part, LAYER_AT, Buffer.concat(inner));
  const layer = await digestOfPart(host, part, LAYER_AT, layerSize, options.signal);
  await files.writePart(part, 0, tarHeader(blobName(layer), layerSize));
  await files.append(part, Buffer.concat([tarPadding(layerSize), ...imageFiles(options, layer, layerSize), TAR_END]));
  return { position: DISK_AT, size };
}

/** Config, manifest, index and marker of the image, as entries of the archive. */
function imageFiles({ architecture, reference, labels }: ContainerDiskOptions, layer: Digest, layerSize: number): Uint8Array[] {
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Labels: labels }, rootfs: { type: 'layers', diff_ids: [layer] } }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.config, digest: digest(config), size: config.length },
      layers: [{ mediaType: LAYER_TYPE, digest: layer, size: layerSize }],
    }),
  );
  const entry = { mediaType: MEDIA_TYPES.manifest, digest: digest(manifest), size: manifest.length, platform: { architecture, os: 'linux' } };
  const annotations = { 'org.opencontainers.image.ref.name': reference };
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [{ ...entry, annotations }] }));
  const files: readonly (readonly [string, Uint8Array])[] = [
    [blobName(digest(config)), config],
    [blobName(digest(manifest)), manifest],
    ['index.json', index],
    ['oci-layout', Buffer.from(LAYOUT_MARKER)],
  ];
  return files.flatMap(([name, data]) => [tarHeader(name, data.length), data, tarPadding(data.length)]);
}

function blobName(of: Digest): string {
  return `blobs/sha256/${hexOf(of)}`;
}

function digest(data: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(data).digest('hex')}`);
}

async function digestOfPart({ files }: Pick<Host, 'files'>, path: string, from: number, length: number, signal: AbortSignal | undefined): Promise<Digest> {
  const hash = createHash('sha256');
  for (let at = 0; at < length; at += READ) {
    signal?.throwIfAborted();
    hash.update(await files.readPart(path, from + at, Math.min(READ, length - at)));
  }
  return parseDigest(`sha256:${hash.digest('hex')}`);
}
