import { join, relative } from 'node:path';
import * as z from 'zod';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hexOf, type Digest } from '../base/types.ts';
import { readQcow2Header } from '../disk/qcow2.ts';
import { findEntry } from './images.ts';
import { checkIndex } from './index-check.ts';
import { indexCopyPath, indexPath, isImage, parseIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { backingOf, flawOf, headerBacking, type Flaw, type SeenLayer } from './layer-check.ts';
import { parseRecord } from './layers.ts';
import { manifestSchema, readJsonBlob, type Manifest } from './manifest.ts';
import { ANNOTATIONS, imageConfigSchema, MEDIA_TYPES, type LayerRecord } from './model.ts';
import { repairStore } from './repair.ts';
import { kindOf, parseStatement, type StatementKind } from './statements.ts';
import type { Progress, StoreProblem, VerifyOptions, VerifyReport } from './types.ts';
import { LAYOUT_MARKER } from './writing.ts';

/** A problem, with what a repair must know of it. */
export interface Finding extends StoreProblem {
  /** The blob that is bad. */
  readonly digest?: Digest;
  /** Manifests of the images that cannot be used because of it. */
  readonly spoils: readonly Digest[];
}

/** {@link Store.verify} */
export async function verify(
  host: Host,
  home: Home,
  references?: readonly string[],
  onProgress?: Progress,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const inspection = new Inspection(host, home, onProgress);
  const index = await inspection.index();
  const chosen = references === undefined ? undefined : new Set(references.map((reference) => findEntry(index, reference).digest));
  const images = [...Map.groupBy(index.filter(isImage), (entry) => entry.digest)].filter(([digest]) => chosen?.has(digest) !== false);
  const records = chosen === undefined ? await inspection.records() : [];
  const manifests = new Map<Digest, Manifest>();
  for (const [digest, entries] of images) {
    const manifest = await inspection.document(entries[0], manifestSchema, namesOf(entries), [digest]);
    if (manifest !== undefined) manifests.set(digest, manifest);
  }
  await inspection.expect(
    [...manifests.values()].flatMap((manifest) => manifest.layers).concat(records.map((record) => ({ ...record, mediaType: MEDIA_TYPES.layer }))),
  );
  for (const [digest, entries] of images) {
    const manifest = manifests.get(digest);
    if (manifest !== undefined) await inspection.image(digest, manifest, namesOf(entries));
  }
  for (const entry of index) {
    const subject = entry.annotations[ANNOTATIONS.subject];
    if (subject !== undefined && images.some(([digest]) => digest === subject)) await inspection.statement(entry);
  }
  for (const record of records) await inspection.record(record);
  const idOf = (digest: Digest): Digest | undefined => manifests.get(digest)?.config.digest;
  inspection.references(index, idOf, chosen);
  inspection.orphans();

  const findings = await inspection.stillTrue();
  const checked = images.map(([digest]) => digest);
  const repaired = options.repair === true ? await repairStore(host, home, findings, checked, idOf) : findings;
  return {
    images: images.length,
    blobs: inspection.blobs,
    bytes: inspection.bytes,
    problems: repaired.map(({ spoils: _spoils, digest: _digest, ...problem }) => problem),
  };
}

function namesOf(entries: readonly IndexEntry[]): string[] {
  return entries.map((entry) => referenceOf(entry) ?? `${entry.annotations[ANNOTATIONS.name] ?? ''}@${entry.digest}`);
}

/** One walk through the store: every blob is read once, however many images share it. */
class Inspection {
  readonly #host: Host;
  readonly #home: Home;
  readonly #onProgress: Progress | undefined;
  readonly #findings: Finding[] = [];
  /** What was found of each layer blob. */
  readonly #orphans: { readonly record: LayerRecord; readonly parent: Digest }[] = [];
  readonly #layers = new Map<Digest, Promise<SeenLayer>>();
  #total = 0;
  bytes = 0;
  blobs = 0;

  constructor(host: Host, home: Home, onProgress: Progress | undefined) {
    this.#host = host;
    this.#home = home;
    this.#onProgress = onProgress;
  }

  #found(flaw: Flaw, file: string, images: readonly string[], spoils: readonly Digest[], digest?: Digest): void {
    const path = relative(this.#home.store, file);
    const known = this.#findings.findIndex((finding) => finding.kind === flaw.kind && finding.file === path && finding.message === flaw.message);
    const before = this.#findings[known];
    if (before === undefined) this.#findings.push({ ...flaw, file: path, images, spoils, ...(digest === undefined ? {} : { digest }) });
    else this.#findings[known] = { ...before, images: [...new Set([...before.images, ...images])], spoils: [...new Set([...before.spoils, ...spoils])] };
  }

  /** The index, or its copy where it is damaged, so that the images can be looked at all the same. */
  async index(): Promise<IndexEntry[]> {
    const { files } = this.#host;
    const marker = join(this.#home.store, 'oci-layout');
    const layout = await readTextIfThere(files, marker);
    const path = indexPath(this.#home);
    const text = await readTextIfThere(files, path);
    const copy = await readTextIfThere(files, indexCopyPath(this.#home));
    if (layout === undefined && text === undefined && copy === undefined) return [];
    if (layout?.trim() !== LAYOUT_MARKER.trim())
      this.#found({ kind: 'layout-damaged', message: 'The marker of the OCI layout is missing or changed' }, marker, [], []);
    try {
      if (text !== undefined) return parseIndex(text, path);
      if (copy === undefined) return [];
      this.#found({ kind: 'index-damaged', message: 'The index is missing' }, path, [], []);
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
      this.#found({ kind: 'index-damaged', message: error.message }, path, [], []);
    }
    try {
      return copy === undefined ? [] : parseIndex(copy, indexCopyPath(this.#home));
    } catch {
      this.#found({ kind: 'index-damaged', message: 'The copy of the index cannot be read either' }, indexCopyPath(this.#home), [], []);
      return [];
    }
  }

  /** A small JSON blob; a finding and undefined where it is not what its digest says. */
  async document<S extends Parameters<typeof readJsonBlob>[3]>(
    blob: { readonly digest: Digest; readonly size: number } | undefined,
    schema: S,
    images: readonly string[],
    spoils: readonly Digest[],
  ) {
    if (blob === undefined) return undefined;
    this.blobs += 1;
    this.bytes += blob.size;
    try {
      return await readJsonBlob<S>(this.#host, this.#home, blob, schema);
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
      const flaw = (await this.#sizeFlaw(blob)) ?? { kind: 'manifest-invalid' as const, message: error.message };
      this.#found(flaw, this.#home.blob(blob.digest), images, spoils, blob.digest);
      return undefined;
    }
  }

  /** Says which blobs will be read, so that progress has a total. */
  async expect(blobs: readonly { readonly digest: Digest; readonly size: number }[]): Promise<void> {
    for (const blob of new Map(blobs.map((one) => [one.digest, one])).values())
      this.#total += (await this.#host.files.status(this.#home.blob(blob.digest)))?.size ?? 0;
  }

  async image(digest: Digest, manifest: Manifest, images: readonly string[]): Promise<void> {
    const config = await this.document(manifest.config, imageConfigSchema, images, [digest]);
    if (config !== undefined && config.rootfs.diff_ids.join() !== manifest.layers.map((layer) => layer.digest).join()) {
      this.#found(
        { kind: 'manifest-invalid', message: 'The config names other layers than the manifest' },
        this.#home.blob(manifest.config.digest),
        images,
        [digest],
        manifest.config.digest,
      );
    }
    for (const [i, layer] of manifest.layers.entries()) await this.#link(layer, manifest.layers[i - 1]?.digest, images, [digest]);
  }

  async statement(entry: IndexEntry): Promise<void> {
    const manifest = await this.document(entry, manifestSchema, [], []);
    const kind = kindOf(entry.annotations);
    if (manifest?.layers[0] === undefined || kind === undefined) return;
    const content = await this.document(manifest.layers[0], z.unknown(), [], []);
    // What names the statement is its own entry: that is what a repair takes out.
    if (content === undefined || !isReadable(kind, content))
      this.#found({ kind: 'manifest-invalid', message: `The ${kind} statement cannot be read` }, this.#home.blob(entry.digest), [], [], entry.digest);
  }

  /** What the index says of its images; of the chosen ones alone, where some were. */
  references(index: readonly IndexEntry[], idOf: (manifest: Digest) => Digest | undefined, chosen: ReadonlySet<Digest> | undefined): void {
    for (const { message, images } of checkIndex(index, idOf).flaws) {
      if (chosen !== undefined && !images.some((digest) => chosen.has(digest))) continue;
      const names = namesOf(index.filter((entry) => isImage(entry) && images.includes(entry.digest)));
      this.#found({ kind: 'reference-invalid', message }, indexPath(this.#home), [...new Set(names)], []);
    }
  }

  async records(): Promise<LayerRecord[]> {
    const { files } = this.#host;
    const records: LayerRecord[] = [];
    for (const name of (await files.list(this.#home.layers)).filter((one) => one.endsWith('.json'))) {
      const path = join(this.#home.layers, name);
      const record = parseRecord(await readTextIfThere(files, path));
      if (record !== undefined && this.#home.layer(record.key) === path) records.push(record);
      else if ((await files.status(path)) !== undefined)
        this.#found({ kind: 'record-invalid', message: 'The layer record cannot be read, or is of another key' }, path, [], []);
    }
    return records;
  }

  /** What the cache says of a layer. Where the layer itself is whole and the record tells something else, the record is wrong, not the layer. */
  async record(record: LayerRecord): Promise<void> {
    const seen = await this.#seen(record.digest);
    const wrong = (message: string): void => this.#found({ kind: 'record-invalid', message }, this.#home.layer(record.key), [], []);
    if (!seen.isProven || seen.header === undefined) return await this.#link(record, record.parent, [], []);
    if (seen.size !== record.size) wrong(`The layer record says ${record.size} bytes, and the layer has ${seen.size}`);
    if (seen.header.virtualSize !== record.virtualSize)
      wrong(`The layer record says that the disk has ${record.virtualSize} bytes, and the layer ${seen.header.virtualSize}`);
    const [told, actual] = [backingOf(record.parent), headerBacking(seen.header)];
    if (told !== actual) wrong(`The layer record says that the layer stands on ${told}, and its header ${actual}`);
    else if (record.parent !== undefined && (await this.#host.files.status(this.#home.blob(record.parent))) === undefined)
      this.#orphans.push({ record, parent: record.parent });
  }

  /** Records whose parent is missing, where that was not told already: a repair takes them with the parent. */
  orphans(): void {
    for (const { record, parent } of this.#orphans) {
      if (this.#findings.some(({ digest }) => digest === parent)) continue;
      const message = `The layer stands on ${hexOf(parent)}, which is missing`;
      this.#found({ kind: 'record-invalid', message }, this.#home.layer(record.key), [], []);
    }
  }

  /** A layer blob, and what its header says it stands on. */
  async #link(
    layer: { readonly digest: Digest; readonly size: number },
    parent: Digest | undefined,
    images: readonly string[],
    spoils: readonly Digest[],
  ): Promise<void> {
    const seen = await this.#seen(layer.digest);
    const path = this.#home.blob(layer.digest);
    const flaw = flawOf(seen, layer.size);
    if (flaw !== undefined) this.#found(flaw, path, images, spoils, layer.digest);
    if (seen.header === undefined) return;
    const [expected, actual] = [backingOf(parent), headerBacking(seen.header)];
    if (actual !== expected)
      this.#found(
        { kind: 'backing-wrong', message: `The header says that it stands on ${actual}, and should say ${expected}` },
        path,
        images,
        spoils,
        layer.digest,
      );
  }

  /** Reads a layer, once. */
  #seen(digest: Digest): Promise<SeenLayer> {
    const known = this.#layers.get(digest) ?? this.#readLayer(digest);
    this.#layers.set(digest, known);
    return known;
  }

  async #readLayer(digest: Digest): Promise<SeenLayer> {
    const path = this.#home.blob(digest);
    this.blobs += 1;
    const before = this.bytes;
    try {
      const { hex, size } = await this.#host.files.sha256(path, (done) => {
        this.bytes = before + done;
        this.#onProgress?.(this.bytes, Math.max(this.#total, this.bytes));
      });
      const read = { size, hex, isProven: hex === hexOf(digest) };
      try {
        return { ...read, header: await readQcow2Header(this.#host.files, path) };
      } catch (error) {
        if (error instanceof IngotError) return { ...read, headerFlaw: error.message };
        throw error;
      }
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return { isProven: false };
      throw error;
    }
  }

  async #sizeFlaw(blob: { readonly digest: Digest; readonly size: number }): Promise<Flaw | undefined> {
    const status = await this.#host.files.status(this.#home.blob(blob.digest));
    if (status === undefined) return { kind: 'blob-missing', message: 'The file is missing' };
    if (status.size !== blob.size) return { kind: 'blob-size', message: `The file has ${status.size} bytes instead of ${blob.size}` };
    return undefined;
  }

  /** The findings, without those about images and records that another command removed while this one was reading. */
  async stillTrue(): Promise<Finding[]> {
    const text = await readTextIfThere(this.#host.files, indexPath(this.#home));
    let now: ReadonlySet<Digest> | undefined;
    try {
      now = text === undefined ? undefined : new Set(parseIndex(text, indexPath(this.#home)).map((entry) => entry.digest));
    } catch {
      now = undefined; // damaged, and told already
    }
    const named = new Set((await this.records()).map((record) => record.digest));
    return this.#findings.filter(
      ({ kind, digest, spoils }) =>
        kind !== 'blob-missing' || digest === undefined || now === undefined || named.has(digest) || now.has(digest) || spoils.some((image) => now.has(image)),
    );
  }
}

function isReadable(kind: StatementKind, content: unknown): boolean {
  try {
    parseStatement(kind, content);
    return true;
  } catch (error) {
    if (error instanceof z.ZodError) return false;
    throw error;
  }
}
