import { join } from 'node:path';
import { trustedKeys } from '../attest/check-signatures.ts';
import { inTotoStatement, provenStatement, signStatement } from '../attest/envelope.ts';
import { signingKey } from '../attest/keys.ts';
import { IngotError } from '../base/errors.ts';
import { canonicalJson } from '../base/hash.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, type Digest, type Key } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { readLayer } from '../store/layers.ts';
import { takeBlobs, checkLayer, writeRecords } from '../store/load.ts';
import { manifestSchema } from '../store/manifest.ts';
import { envelopeSchema, layerRecordSchema, MEDIA_TYPES, type LayerRecord } from '../store/model.ts';
import { changeStore, digestOf } from '../store/writing.ts';
import { isLoopback, parseRemoteAddress } from './address.ts';
import { fetchBlob, forgetPulls } from './fetch-blob.ts';
import { openRemote } from './open.ts';
import { remoteInvalid, type Remote } from './remote.ts';

/** What an entry of a layer cache says: the layer cache's record of the layer that a key made. */
export const LAYER_PREDICATE = 'https://ingot.dev/layer-record/v1';

/** Layers that other machines made, by their keys. It never fails a build: what goes wrong is a warning, and the layer is made here. */
export interface LayerCache {
  /** Takes the layer of a key into the store, where the cache has it on that very parent and somebody who is trusted signed it. Whether it did. */
  fetch(layer: { readonly key: Key; readonly name: string }, parent: Digest | undefined): Promise<boolean>;
  /** Offers a layer that was made here to others, where `cache-push` says so, with those below it (bottom first): without them it is of no use. */
  push(record: LayerRecord, below: readonly LayerRecord[]): Promise<void>;
}

/** The layer cache of the settings; undefined where there is none. */
export async function openLayerCache(context: Context): Promise<LayerCache | undefined> {
  const { settings } = context;
  if (settings.cache === undefined) return undefined;
  const address = parseRemoteAddress(settings.cache);
  const push = settings['cache-push'] === 'yes';
  // A registry on this machine has no certificate, as a rule.
  const remote = await openRemote(context, address, { push, plainHttp: address.kind === 'oci' && isLoopback(address.server) });
  const cache = new RemoteLayers(context, remote, settings.cache);
  return {
    fetch: (layer, parent) => cache.harmless(`The layer ${layer.name} cannot be taken from the cache`, false, () => cache.fetch(layer, parent)),
    push: async (record, below) => {
      if (!push) return;
      for (const one of [...below, record]) await cache.harmless(`The layer ${one.name} cannot be brought into the cache`, undefined, () => cache.push(one));
    },
  };
}

class RemoteLayers {
  readonly #context: Context;
  readonly #remote: Remote;
  readonly #what: string;

  constructor(context: Context, remote: Remote, what: string) {
    this.#context = context;
    this.#remote = remote;
    this.#what = what;
  }

  async harmless<T>(what: string, otherwise: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#context.signal.throwIfAborted();
      if (!(error instanceof IngotError) || !['upstream', 'verification', 'not-found', 'usage', 'host'].includes(error.class)) throw error;
      this.#context.events.message('warn', `${what}: ${error.message}`);
      return otherwise;
    }
  }

  async fetch(layer: { readonly key: Key; readonly name: string }, parent: Digest | undefined): Promise<boolean> {
    const { host, home } = this.#context;
    const record = await this.#entry(layer);
    if (record === undefined) return false;
    if (record.parent !== parent) {
      this.#context.events.message('debug', `The cache has the layer ${layer.name} on another parent.`);
      return false;
    }
    const span = this.#context.events.span('stage', `fetch ${layer.name}`);
    try {
      await using scratch = await makeScratch(host, home, `fetching ${layer.name}`);
      const onProgress = (done: number): void => span.progress(done, record.size, 'bytes');
      const file = await fetchBlob(this.#context, this.#remote, record, { what: this.#what, into: scratch.path, onProgress });
      const size = await checkLayer(host, file, record.digest, parent, this.#invalid);
      if (size !== record.virtualSize) throw this.#invalid(`the layer ${layer.name} has a disk of ${size} bytes instead of ${record.virtualSize}`);
      await changeStore(host, home, `storing layer ${layer.name}`, async () => {
        await takeBlobs(host, home, new Map([[record.digest, record]]), new Set([record.digest]), () => file);
        await writeRecords(host, home, [record]);
      });
      await forgetPulls(this.#context, [record.digest]);
      span.end('done');
      return true;
    } catch (error) {
      span.end('failed');
      throw error;
    }
  }

  get #invalid(): ReturnType<typeof remoteInvalid> {
    return remoteInvalid(this.#what);
  }

  /** The record of a key that somebody who is trusted signed; anything else is as good as none. */
  async #entry({ key, name }: { readonly key: Key; readonly name: string }): Promise<LayerRecord | undefined> {
    const { host, home, events } = this.#context;
    const bytes = await this.#remote.manifest(hexOf(key));
    if (bytes === undefined) return undefined;
    const ignored = (why: string): undefined => void events.message('warn', `The cache's layer ${name} is not used: ${why}.`);
    try {
      const manifest = manifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
      const [said, blob] = manifest.layers;
      if (said?.mediaType !== MEDIA_TYPES.envelope || blob?.mediaType !== MEDIA_TYPES.layer || said.size > LARGEST)
        return ignored('it is no entry of a layer cache');
      await using scratch = await makeScratch(host, home, `reading the cache's entry of ${name}`);
      const path = await fetchBlob(this.#context, this.#remote, said, { what: this.#what, into: scratch.path });
      const envelope = envelopeSchema.parse(JSON.parse(Buffer.from(await host.files.read(path)).toString('utf8')));
      await forgetPulls(this.#context, [said.digest]);
      const proven = provenStatement(envelope, blob.digest, await trustedKeys(this.#context));
      if (proven === undefined) return ignored('no key that is trusted signed it');
      const record = layerRecordSchema.parse(proven.statement.predicate);
      const fits = proven.statement.predicateType === LAYER_PREDICATE && record.key === key && record.digest === blob.digest && record.size === blob.size;
      return fits ? record : ignored('what was signed is another layer');
    } catch (error) {
      if (error instanceof IngotError || (error instanceof Error && error.name === 'AbortError')) throw error;
      return ignored('it does not hold what it should');
    }
  }

  readonly #pushed = new Set<Digest>();

  async push(record: LayerRecord): Promise<void> {
    const { host, home, signal } = this.#context;
    // Of the layers of a base image, the cache may have lost the record.
    if (this.#pushed.has(record.digest) || (await readLayer(host, home, record.key))?.digest !== record.digest) return;
    const tag = hexOf(record.key);
    if ((await this.#remote.manifest(tag)) !== undefined && (await this.#entry({ key: record.key, name: record.name }))?.digest === record.digest) return;
    const envelope = signStatement(inTotoStatement({ name: record.name, digest: record.digest }, LAYER_PREDICATE, record), await signingKey(this.#context));
    await using scratch = await makeScratch(host, home, `bringing ${record.name} into the cache`);
    const small = async (text: string) => {
      const blob = { digest: digestOf(text), size: Buffer.byteLength(text) };
      const path = join(scratch.path, hexOf(blob.digest));
      await host.files.write(path, text);
      if ((await this.#remote.size(blob.digest)) !== blob.size) await this.#remote.send({ ...blob, path }, { signal, onProgress: () => undefined });
      return blob;
    };
    const span = this.#context.events.span('stage', `bring ${record.name} into the cache`);
    try {
      const { digest, size } = record;
      if ((await this.#remote.size(digest)) !== size)
        await this.#remote.send({ digest, size, path: home.blob(digest) }, { signal, onProgress: (done) => span.progress(done, size, 'bytes') });
      const manifest = canonicalJson({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.manifest,
        artifactType: MEDIA_TYPES.cacheEntry,
        config: { mediaType: MEDIA_TYPES.empty, ...(await small('{}')) },
        layers: [
          { mediaType: MEDIA_TYPES.envelope, ...(await small(canonicalJson(envelope))) },
          { mediaType: MEDIA_TYPES.layer, digest, size },
        ],
      });
      await this.#remote.putManifest(tag, Buffer.from(manifest), MEDIA_TYPES.manifest);
      this.#pushed.add(digest);
      span.end('done');
    } catch (error) {
      span.end('failed');
      throw error;
    }
  }
}

/** More is no envelope of a record. */
const LARGEST = 16 * 2 ** 20;
