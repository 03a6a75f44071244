import * as z from 'zod';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { canonicalJson } from '../base/hash.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hexOf, type Digest, type Name } from '../base/types.ts';
import type { IndexEntry } from './index-file.ts';
import { ANNOTATIONS, descriptorSchema, MEDIA_TYPES, rolesOf, type Descriptor, type ImageConfig, type LayerRecord } from './model.ts';
import { digestOf } from './writing.ts';

/** An image's manifest (image-spec v1.1); a statement's manifest has a subject besides. */
export const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(MEDIA_TYPES.manifest),
  artifactType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).min(1),
  subject: descriptorSchema.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Manifest = z.output<typeof manifestSchema>;

/** Everything that makes an image, as bytes and descriptors; pure. */
export interface ImageParts {
  readonly config: string;
  readonly manifest: string;
  readonly layers: readonly Descriptor[];
  /** The image's entry in the index, without a reference. */
  readonly entry: IndexEntry;
}

/**
 * Makes manifest, config and index entry of an image from its layers, bottom first. Throws `layer-chain` where the layers do not stand on
 * each other, or the config tells of others.
 */
export function imageParts(config: ImageConfig, layers: readonly LayerRecord[], name: Name, created: string): ImageParts {
  checkChain(config, layers);
  const configText = canonicalJson(config);
  const descriptors = layers.map((layer): Descriptor => {
    return { mediaType: MEDIA_TYPES.layer, digest: layer.digest, size: layer.size, annotations: { [ANNOTATIONS.title]: hexOf(layer.digest) } };
  });
  const configDigest = digestOf(configText);
  const manifest = canonicalJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType: MEDIA_TYPES.config, digest: configDigest, size: Buffer.byteLength(configText) },
    layers: descriptors,
  });
  const entry = imageEntry({ digest: digestOf(manifest), size: Buffer.byteLength(manifest) }, configDigest, config, descriptors, { name, created });
  return { config: configText, manifest, layers: descriptors, entry };
}

/** An image's entry in the index, without a reference; all of it follows from the image, but its name and time. */
export function imageEntry(
  manifest: { readonly digest: Digest; readonly size: number },
  id: Digest,
  config: ImageConfig,
  layers: readonly { readonly size: number }[],
  told: { readonly name: string; readonly created: string },
): IndexEntry {
  const details = config['dev.ingot.image'];
  const roles = rolesOf(details);
  return {
    mediaType: MEDIA_TYPES.manifest,
    digest: manifest.digest,
    size: manifest.size,
    annotations: {
      [ANNOTATIONS.name]: told.name,
      [ANNOTATIONS.created]: told.created,
      [ANNOTATIONS.config]: id,
      [ANNOTATIONS.release]: details.release,
      ...(roles.length === 0 ? {} : { [ANNOTATIONS.roles]: roles.join(' ') }),
      [ANNOTATIONS.virtualSize]: String(details.disk.size),
      [ANNOTATIONS.storedSize]: String(layers.reduce((sum, layer) => sum + layer.size, 0)),
      [ANNOTATIONS.gate]: 'not-run',
    },
  };
}

function checkChain(config: ImageConfig, layers: readonly LayerRecord[]): void {
  const told = config['dev.ingot.image'].layers;
  const ids = config.rootfs.diff_ids;
  const broken =
    layers.length === 0 ||
    told.length !== layers.length ||
    ids.length !== layers.length ||
    layers.some((layer, i) => layer.parent !== layers[i - 1]?.digest || ids[i] !== layer.digest || told[i]?.key !== layer.key);
  if (broken) {
    throw new IngotError('internal', 'layer-chain', 'The layers of this image do not stand on each other as its config says', {
      detail: layers.map((layer) => `${layer.name} ${layer.digest} on ${layer.parent ?? 'nothing'}`).join('\n'),
    });
  }
}

/** Reads a JSON blob and proves its size and digest before parsing. Throws `image-damaged`. */
export async function readJsonBlob<S extends z.ZodType>(
  host: Pick<Host, 'files'>,
  home: Home,
  blob: { readonly digest: Digest; readonly size: number },
  schema: S,
): Promise<z.output<S>> {
  const path = home.blob(blob.digest);
  if (blob.size > MAX_JSON) throw damaged(path, `it is said to have ${blob.size} bytes`);
  const status = await host.files.status(path);
  if (status === undefined) throw damaged(path, 'it is missing');
  if (status.size !== blob.size) throw damaged(path, `it has ${status.size} bytes instead of ${blob.size}`);
  const bytes = await readOrMissing(host, path);
  if (digestOf(bytes) !== blob.digest) throw damaged(path, 'its bytes have changed');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw damaged(path, 'it is not JSON', error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(path, `it does not hold what it should: ${z.prettifyError(parsed.error)}`, parsed.error);
  return parsed.data;
}

async function readOrMissing(host: Pick<Host, 'files'>, path: string): Promise<Uint8Array> {
  try {
    return await host.files.read(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') throw damaged(path, 'it is missing', error);
    throw error;
  }
}

/** No manifest, config or statement comes near this; a descriptor that says more is not followed. */
const MAX_JSON = 64 * 2 ** 20;

export function damaged(path: string, why: string, cause?: unknown): IngotError {
  return new IngotError('verification', 'image-damaged', `A file of the image cannot be used: ${path}: ${why}`, {
    hint: 'Run `ingot image verify --repair`, then build the image again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
