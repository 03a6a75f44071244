import { IngotError } from '../base/errors.ts';
import { blobProgress } from './blob-progress.ts';
import { inPool } from '../base/pool.ts';
import type { Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { entryName } from '../store/images.ts';
import { isImage, readIndex, type IndexEntry } from '../store/index-file.ts';
import { manifestSchema, readJsonBlob, type Manifest } from '../store/manifest.ts';
import { ANNOTATIONS, MEDIA_TYPES, type Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { formatRemoteAddress, type RemoteAddress } from './address.ts';
import { openRemote } from './open.ts';
import type { OutgoingBlob, Remote, StatementDescriptor } from './remote.ts';

export interface PushResult {
  readonly address: string;
  readonly digest: Digest;
  /** Blobs of the image and its statements. */
  readonly blobs: number;
  readonly sent: number;
  /** Taken from another repository of the server. */
  readonly mounted: number;
  /** Bytes of what was sent. */
  readonly bytes: number;
  readonly statements: number;
}

export interface PushOptions {
  readonly plainHttp: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Blobs on their way at the same time. */
const PARALLEL = 3;

/**
 * Pushes an image and all statements about it. What is there is not sent; the tag moves last, so that whoever reads it finds all. Throws what `resolve`
 * throws, `remote-address-invalid`, `remote-failed`, `remote-refused`, `image-damaged`.
 */
export async function pushImage(context: Context, reference: string, address: RemoteAddress, options: PushOptions): Promise<PushResult> {
  const { host, home } = context;
  if (address.digest !== undefined)
    throw new IngotError('usage', 'remote-address-invalid', 'An image is pushed to a tag, not to a digest', { hint: 'Write oci://registry/name:tag.' });
  const image = await openStore(host, home).resolve(reference);
  const tag = address.tag ?? tagOf(reference) ?? 'latest';
  const remote = await openRemote(context, address, { push: true, plainHttp: options.plainHttp });
  const index = await readIndex(host, home);
  const sender = new Sender(context, remote, options);
  const manifest = await readJsonBlob(host, home, { digest: image.digest, size: sizeOf(index, image) }, manifestSchema);
  const statements = await statementsOf(context, index, image);

  const blobs = [...manifest.layers, manifest.config, ...statements.flatMap(({ manifest: said }) => [said.config, ...said.layers])];
  const from = address.kind === 'oci' ? siblingRepositories(address.repository, await siblingsOf(context, image)) : new Map<Digest, string>();
  await sender.send(blobs, from);
  const text = await host.files.read(home.blob(image.digest));
  await remote.putManifest(image.digest, text, MEDIA_TYPES.manifest);
  for (const { entry } of statements) await remote.putManifest(entry.digest, await host.files.read(home.blob(entry.digest)), MEDIA_TYPES.manifest);
  await remote.attach(
    image.digest,
    statements.map(({ entry }) => descriptorOf(entry)),
  );
  await remote.putManifest(tag, text, MEDIA_TYPES.manifest);
  return { address: formatRemoteAddress({ ...address, tag }), digest: image.digest, ...sender.count, statements: statements.length };
}

/** The tag in a reference; undefined where it has none, or pins a digest. */
function tagOf(reference: string): string | undefined {
  return reference.includes('@') || reference.startsWith('sha256:') || !reference.includes(':') ? undefined : reference.slice(reference.indexOf(':') + 1);
}

function sizeOf(index: readonly IndexEntry[], image: Image): number {
  return index.find((entry) => isImage(entry) && entry.digest === image.digest)?.size ?? 0;
}

async function statementsOf({ host, home }: Context, index: readonly IndexEntry[], image: Image): Promise<{ entry: IndexEntry; manifest: Manifest }[]> {
  const entries = index.filter((entry) => entry.annotations[ANNOTATIONS.subject] === image.digest);
  return await Promise.all(entries.map(async (entry) => ({ entry, manifest: await readJsonBlob(host, home, entry, manifestSchema) })));
}

function descriptorOf(entry: IndexEntry): StatementDescriptor {
  const { [ANNOTATIONS.subject]: _, [ANNOTATIONS.gate]: __, ...annotations } = entry.annotations;
  const { mediaType, digest, size, artifactType } = entry;
  return { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }), annotations };
}

/** By layer, the names of other images of the store that have it too. */
async function siblingsOf({ host, home }: Context, image: Image): Promise<ReadonlyMap<Digest, readonly string[]>> {
  const chains = (await openStore(host, home).chains()).filter(({ digest }) => digest !== image.digest);
  const index = await readIndex(host, home);
  const names = (digest: Digest): string[] => [...new Set(index.filter((entry) => isImage(entry) && entry.digest === digest).map(entryName))];
  return new Map(
    image.layers.map(({ digest }) => [digest, chains.flatMap((chain) => (chain.layers.some((layer) => layer.digest === digest) ? names(chain.digest) : []))]),
  );
}

/** Where a layer may be already: a sibling is pushed under its own name beside this one, as a rule. A guess costs nothing where it is wrong. */
export function siblingRepositories(repository: string, siblings: ReadonlyMap<Digest, readonly string[]>): Map<Digest, string> {
  const folder = repository.includes('/') ? repository.slice(0, repository.lastIndexOf('/') + 1) : '';
  const found = new Map<Digest, string>();
  for (const [digest, names] of siblings) {
    const [other] = names.map((name) => `${folder}${name}`).filter((name) => name !== repository);
    if (other !== undefined) found.set(digest, other);
  }
  return found;
}

/** Sends what a remote lacks, each blob once, some at the same time. */
export class Sender {
  readonly count = { blobs: 0, sent: 0, mounted: 0, bytes: 0 };
  readonly #context: Pick<Context, 'host' | 'home' | 'signal'>;
  readonly #remote: Remote;
  readonly #onProgress: PushOptions['onProgress'];

  constructor(context: Pick<Context, 'host' | 'home' | 'signal'>, remote: Remote, options: Pick<PushOptions, 'onProgress'>) {
    this.#context = context;
    this.#remote = remote;
    this.#onProgress = options.onProgress;
  }

  async send(blobs: readonly { readonly digest: Digest; readonly size: number }[], from: ReadonlyMap<Digest, string>): Promise<void> {
    const all = new Map(blobs.map(({ digest, size }) => [digest, size]));
    this.count.blobs += all.size;
    const missing = await this.#missing([...all].map(([digest, size]) => ({ digest, size, path: this.#context.home.blob(digest) })));
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    const tell = blobProgress(total, this.#onProgress);
    await inPool(
      PARALLEL,
      missing,
      async (blob, signal) => {
        const { digest, size } = blob;
        const how = await this.#remote.send(blob, { from: from.get(digest), signal, onProgress: (bytes) => tell(digest, bytes) });
        tell(digest, size);
        this.count[how] += 1;
        if (how === 'sent') this.count.bytes += size;
      },
      this.#context.signal,
    );
  }

  /** What the remote has of the right size is not sent again. */
  async #missing(blobs: readonly OutgoingBlob[]): Promise<OutgoingBlob[]> {
    const looked = await Promise.all(blobs.map(async (blob) => ({ blob, size: await this.#remote.size(blob.digest) })));
    return looked.flatMap(({ blob, size }) => (size === blob.size ? [] : [blob]));
  }
}
