import type { IngotError } from '../base/errors.ts';
import { parseName, type Digest } from '../base/types.ts';
import { imageEntry, type Manifest } from './manifest.ts';
import type { IndexEntry } from './index-file.ts';
import { ANNOTATIONS, MEDIA_TYPES, type ImageConfig, type LayerRecord } from './model.ts';

/** An image that comes from elsewhere, its small parts proven by their digests. */
export interface IncomingImage {
  /** Its entry for the index, without a reference. */
  readonly entry: IndexEntry;
  readonly references: readonly string[];
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/** A statement about an image that comes. */
export interface IncomingStatement {
  readonly entry: IndexEntry;
  readonly subject: Digest;
  /** What it is made of, its own manifest first. */
  readonly blobs: readonly Digest[];
}

export interface IncomingContent {
  readonly images: readonly IncomingImage[];
  readonly statements: readonly IncomingStatement[];
  readonly records: readonly LayerRecord[];
  /** Every blob that these need. */
  readonly blobs: ReadonlyMap<Digest, { readonly size: number }>;
}

/** Makes the error of something that comes and cannot be used: `archive-invalid`, `remote-invalid`. */
export type Invalid = (why: string) => IngotError;

/** The media types of an image of ingot; throws `invalid` for any other. */
export function checkImageManifest(digest: Digest, manifest: Manifest, invalid: Invalid): void {
  const stranger = manifest.config.mediaType !== MEDIA_TYPES.config || manifest.layers.some((layer) => layer.mediaType !== MEDIA_TYPES.layer);
  if (stranger) throw invalid(`${digest} is not an image of ingot: its layers are not disks`);
}

/** An image of a manifest and its config, which must tell the same; `now` stands for a missing time. Throws `invalid`. */
export function incomingImage(
  told: { readonly digest: Digest; readonly size: number; readonly annotations: Readonly<Record<string, string>> },
  manifest: Manifest,
  config: ImageConfig,
  now: string,
  invalid: Invalid,
): IncomingImage {
  const details = config['dev.ingot.image'];
  const fits = config.rootfs.diff_ids.join() === manifest.layers.map(({ digest }) => digest).join() && details.layers.length === manifest.layers.length;
  if (!fits) throw invalid(`the config of ${told.digest} names other layers than its manifest`);
  const time = told.annotations[ANNOTATIONS.created] ?? '';
  const created = Number.isNaN(Date.parse(time)) ? now : new Date(time).toISOString();
  const name = nameIn(told.annotations[ANNOTATIONS.name]) ?? nameIn(details.template);
  if (name === undefined) throw invalid(`${JSON.stringify(details.template)} is no name of an image`);
  return { entry: imageEntry(told, manifest.config.digest, config, manifest.layers, { name, created }), references: [], manifest, config };
}

function nameIn(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : parseName(text, 'an image');
  } catch {
    return undefined;
  }
}
