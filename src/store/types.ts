import type { Digest, HostPath, Key, Name } from '../base/types.ts';
import type { ImageChain } from './chains.ts';
import type { HistoryLayer } from './history.ts';
import type { GateStatement, Image, ImageConfig, ImageSummary, LayerRecord } from './model.ts';
import type { Statement, StoredStatement } from './statements.ts';
import type { TreeNode } from './tree.ts';

/** What a layer's maker knows; the store adds digest, size and time. */
export type NewLayer = Omit<LayerRecord, 'v' | 'digest' | 'size' | 'created'>;

/** Which images VMs use: digest of the manifest -> names of the VMs. */
export type ImageUse = ReadonlyMap<Digest, readonly string[]>;

/** Bytes done of a total. */
export type Progress = (done: number, total: number) => void;

export interface RemoveResult {
  readonly digest: Digest;
  /** The `name:tag` references that are gone. */
  readonly untagged: readonly string[];
  /** The references that the image still has; it stays in the store while there is one. */
  readonly remaining: readonly string[];
  /** Whether the image itself is gone. */
  readonly removed: boolean;
  /** Bytes of the files that were removed. */
  readonly freed: number;
}

/**
 * What a prune takes besides untagged images. `keep` and `olderThan` decide together: what goes is not among the newest and is older. With
 * `maxSize`, more goes until the store fits, the oldest first. An image with the tag `latest`, with a tag that a user gave, or that a VM uses
 * never goes: automatic tags (date and short digest) alone do not keep it.
 */
export interface PruneOptions {
  /** The newest images of each name that stay. */
  readonly keep?: number;
  /** Seconds. */
  readonly olderThan?: number;
  /** Bytes that the store may take. Cached layers that no image has go too, the least recently used first. */
  readonly maxSize?: number;
  /** Also remove cached layers that no image uses. */
  readonly layers?: boolean;
  /** Only say what would be removed. */
  readonly dryRun?: boolean;
}

export interface PruneReport {
  readonly images: readonly { readonly name: string; readonly digest: Digest; readonly references: readonly string[] }[];
  /** Cached layers that no image used. */
  readonly layers: readonly { readonly name: string; readonly key: Key }[];
  /** Files in the store that nothing refers to, as paths in it. */
  readonly files: readonly string[];
  readonly freed: number;
  /** Bytes on the disk of all that is left in the store. */
  readonly size: number;
  /** Why something that could go was kept. */
  readonly kept: readonly string[];
}

export interface SaveOptions {
  /** Replace a file that is there. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: Progress;
}

export interface SaveResult {
  readonly images: readonly { readonly digest: Digest; readonly references: readonly string[] }[];
  readonly blobs: number;
  /** Bytes of the archive. */
  readonly size: number;
}

export interface LoadOptions {
  /** Move tags that other images have. */
  readonly force?: boolean;
  /** Whether the layers enter the layer cache under the keys that the archive says; default true. */
  readonly cache?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: Progress;
}

export interface LoadResult {
  readonly images: readonly { readonly digest: Digest; readonly references: readonly string[]; readonly isNew: boolean }[];
  readonly blobs: number;
  /** Blobs that the store did not have, and their bytes. */
  readonly copied: number;
  readonly bytes: number;
  /** Layers that are new in the cache. */
  readonly cached: number;
}

export interface BackupResult {
  readonly images: number;
  readonly references: number;
  readonly statements: number;
  /** Records of the layer cache. */
  readonly records: number;
  /** Bytes of the backup. */
  readonly size: number;
  /** What the index names and the backup lacks, since it is damaged. */
  readonly left: readonly string[];
}

export interface RestoreOptions {
  /** Move tags that other images have. */
  readonly force?: boolean;
  /** Whether records enter the layer cache; default true. */
  readonly cache?: boolean;
  /** Only say what would be restored. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** A tag that the backup and the store have on different images. */
export interface TagConflict {
  readonly reference: string;
  readonly here: Digest;
  readonly backup: Digest;
  /** The image here was made after the one in the backup. */
  readonly hereIsNewer: boolean;
}

export interface RestoredImage {
  readonly digest: Digest;
  /** What it is made from: `ingot build` makes it. */
  readonly template: string;
  /** References that it has now and had not before. */
  readonly added: readonly string[];
  readonly isNew: boolean;
  /** Its layers that the store lacks; with any, it is marked as damaged until it is loaded or built. */
  readonly missing: readonly Digest[];
}

export interface RestoreResult {
  /** When the backup was made. */
  readonly created: string;
  /** Every image of the backup that is in the store now. */
  readonly images: readonly RestoredImage[];
  /** Tags that the store's own images keep, or with `force` have lost. */
  readonly conflicts: readonly TagConflict[];
  /** Images that were not taken: nothing would name them, and their layers are not here. */
  readonly left: readonly Digest[];
  /** Statements that are new. */
  readonly statements: number;
  /** Records that are new in the layer cache, and those that were not taken since their layers are not here. */
  readonly records: { readonly added: number; readonly left: number };
}

/** One thing that `verify` found wrong. */
export interface StoreProblem {
  readonly kind:
    | 'index-damaged'
    | 'layout-damaged'
    | 'blob-missing'
    | 'blob-size'
    | 'blob-changed'
    | 'manifest-invalid'
    | 'qcow2-invalid'
    | 'backing-wrong'
    | 'record-invalid'
    /** The index contradicts itself, or a manifest. */
    | 'reference-invalid';
  /** Path of the file in the store. */
  readonly file: string;
  readonly message: string;
  /** `name:tag` of the images that it spoils. */
  readonly images: readonly string[];
  /** What `--repair` did about it; absent where nothing was done. */
  readonly repaired?: string;
}

export interface VerifyReport {
  readonly images: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly problems: readonly StoreProblem[];
}

export interface VerifyOptions {
  /** Takes what is damaged out of use: layer records go, images are marked, the index is put back. */
  readonly repair?: boolean;
}

/**
 * The image store: an OCI image layout in the home. Readers take no lock and see the old or the new state, never a
 * part; writers take the lock `store` for the moment in which they change it.
 */
export interface Store {
  /**
   * The layer that a key made, where its blob is there with the right size; marks it as used today. Its `parent` is the digest it stands on:
   * whoever builds a chain compares it with the digest of the layer below, since a layer below that was made anew can have other bytes.
   */
  findLayer(key: Key): Promise<LayerRecord | undefined>;
  /**
   * Takes a finished, closed qcow2 file in `run/<id>/` into the store: checks its header, hashes it, fsyncs it, renames it to its blob
   * (mode 0444), then writes the record. The same bytes twice is fine. Throws `layer-invalid` where the file's backing name or
   * size is not what `layer` says, `store-full` without space.
   */
  commitLayer(file: HostPath, layer: NewLayer, onProgress?: Progress): Promise<LayerRecord>;
  /** Writes an image and moves the tags to it in one step. Throws `layer-gone` where a layer was removed meanwhile, `layer-chain` where the layers do not stand on each other. */
  putImage(config: ImageConfig, layers: readonly LayerRecord[], name: Name, tags: readonly string[]): Promise<Image>;
  /**
   * Finds an image by `name` (its tag `latest`), `name:tag`, `name@sha256:<12 to 64 hex digits>` or `sha256:<12 to 64 hex digits>`.
   * Throws `reference-invalid`, `image-unknown` (with the nearest names), `image-ambiguous`, `image-damaged`.
   */
  resolve(reference: string): Promise<Image>;
  /** Every reference, one line each, sorted; with `untagged`, also images without one (tag ''). Opens index.json alone. */
  list(options?: { readonly untagged?: boolean }): Promise<ImageSummary[]>;
  /** Every image with its chain of layers and its references; opens the manifests. */
  chains(): Promise<ImageChain[]>;
  /** The images by shared layers: bases at the root, what stands on them beneath, in the order in which a tree is drawn. */
  tree(): Promise<TreeNode[]>;
  /** An image's layers, bottom first, with when they were made and who shares them. Throws what `resolve` throws. */
  history(reference: string): Promise<{ readonly image: Image; readonly layers: readonly HistoryLayer[] }>;
  /** Gives an image another reference, which moves there where it was elsewhere. */
  tag(reference: string, newReference: string): Promise<Image>;
  /**
   * Removes a reference, and with the last one the image and what only it used; by digest, the image with all its references.
   * Throws `image-in-use` with the names of the VMs where the image itself would go.
   */
  remove(reference: string, inUse: ImageUse): Promise<RemoveResult>;
  /** Stores what a gate found, as an OCI artifact manifest whose subject is the image. The newest statement is what listings show. */
  addGate(image: Image, statement: GateStatement): Promise<void>;
  /**
   * Stores statements about an image, all in one step. Of signed ones, a newer one of the same key and predicate takes the place of the older. Throws
   * `image-unknown` where the image was removed meanwhile.
   */
  addStatements(image: Pick<Image, 'digest'>, statements: readonly Statement[]): Promise<void>;
  /** Every statement about an image that can be read, the oldest first. */
  statements(image: Pick<Image, 'digest'>): Promise<StoredStatement[]>;
  /**
   * Writes images to one tar file: an OCI image layout with each shared blob once, the gate's statements, and what the layer cache knows of the
   * layers. By name, an image keeps that one reference; by digest, all it has. Throws what `resolve` throws, `file-exists`, `image-damaged`.
   */
  save(references: readonly string[], target: HostPath, options: SaveOptions): Promise<SaveResult>;
  /**
   * Takes the images of an archive into the store, each byte proven by its digest; all of them or none. Throws `archive-invalid`, and `tag-exists`
   * where another image has a reference of one.
   */
  load(archive: HostPath, options?: LoadOptions): Promise<LoadResult>;
  /**
   * Writes what the store knows, without the layers: index with tags, manifests, configs, statements, and the layer cache's records. Throws
   * `file-exists`.
   */
  backup(target: HostPath, options?: SaveOptions): Promise<BackupResult>;
  /**
   * Brings back what a backup knows and the store does not: each blob proven by its digest, all or nothing. A tag that the store has on another
   * image stays there, unless `force`; the result says so. Throws `archive-invalid`.
   */
  restore(backup: HostPath, options?: RestoreOptions): Promise<RestoreResult>;
  /** Reads every byte of the named images, or of the whole store, and tells all that is wrong. */
  verify(references?: readonly string[], onProgress?: Progress, options?: VerifyOptions): Promise<VerifyReport>;
  /** Removes untagged images that no VM uses, files that nothing refers to and what killed processes left; more by {@link PruneOptions}. */
  prune(inUse: ImageUse, options?: PruneOptions): Promise<PruneReport>;
}
