import * as z from 'zod';
import { trustedKeys } from '../attest/check-signatures.ts';
import { trustOf } from '../attest/sign-image.ts';
import { IngotError } from '../base/errors.ts';
import { blobProgress } from './blob-progress.ts';
import { inPool } from '../base/pool.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, parseName, type Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { checkImageManifest, incomingImage, type IncomingImage, type IncomingStatement } from '../store/incoming.ts';
import { readIndex } from '../store/index-file.ts';
import { isWhole } from '../store/layers.ts';
import { refuseConflicts, takeIncoming } from '../store/load.ts';
import { manifestSchema, type Manifest } from '../store/manifest.ts';
import { imageConfigSchema, type Descriptor } from '../store/model.ts';
import { parseNameTag } from '../store/reference.ts';
import { isStatement, kindOf, parseStatement, statementEntry, type Statement } from '../store/statements.ts';
import { digestOf } from '../store/writing.ts';
import { formatRemoteAddress, type RemoteAddress } from './address.ts';
import { fetchBlob, forgetPulls, sweepPulls } from './fetch-blob.ts';
import { openRemote } from './open.ts';
import { remoteInvalid, type Remote } from './remote.ts';

export interface PullOptions {
  readonly plainHttp: boolean;
  /** `name:tag` that it gets here; default: the last part of the repository, and its tag there. */
  readonly as?: string | undefined;
  /** Move a tag that another image has. */
  readonly force: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PullResult {
  readonly digest: Digest;
  readonly reference: string;
  readonly isNew: boolean;
  readonly blobs: number;
  /** Blobs that the store did not have, and their bytes. */
  readonly copied: number;
  readonly bytes: number;
  readonly statements: number;
  /** Trusted keys that signed it. */
  readonly signers: readonly string[];
}

/** More is no manifest, config or statement. */
const LARGEST = 64 * 2 ** 20;
const PARALLEL = 3;

/**
 * Pulls an image with the statements about it, each byte proven by its digest; all of it or nothing. Where `trusted-keys` is set, only an image that one
 * of them (or this ingot) signed is taken, and of unsigned statements only those that its signature names. Throws `remote-unknown`, `remote-invalid`,
 * `remote-mismatch`, `image-not-signed`, `tag-exists`, `remote-failed`.
 */
export async function pullImage(context: Context, address: RemoteAddress, options: PullOptions): Promise<PullResult> {
  const { host, home } = context;
  const what = formatRemoteAddress(address);
  const target = targetOf(address, options.as);
  const remote = await openRemote(context, address, { push: false, plainHttp: options.plainHttp });
  await sweepPulls(context);
  await using scratch = await makeScratch(host, home, `pulling ${what}`);
  const puller = new Puller(context, remote, what, scratch.path);
  const image = await puller.image(address.digest ?? address.tag ?? 'latest');
  const said = await puller.statements(image);
  const signers = await trusted(context, image.entry.digest, said, what);
  const statements = signers === undefined ? said : said.filter(({ statement, content }) => statement.kind === 'attestation' || signers.named.has(content));
  const images = [{ ...image, references: [target] }];
  refuseConflicts(images, await readIndex(host, home), options);

  const blobs = new Map<Digest, { readonly size: number }>([
    ...[...image.manifest.layers, image.manifest.config, { digest: image.entry.digest, size: image.entry.size }].map((one) => [one.digest, one] as const),
    ...statements.flatMap(({ parts }) => parts.map((one) => [one.digest, one] as const)),
  ]);
  const copied = await puller.fetchMissing(blobs, options.onProgress);
  const result = await takeIncoming(
    host,
    home,
    { images, statements, records: [], blobs },
    {
      what: `pulling ${what}`,
      copied: new Set(copied.keys()),
      at: (digest) => copied.get(digest) ?? home.blob(digest),
      invalid: remoteInvalid(what),
      force: options.force,
    },
  );
  await forgetPulls(context, puller.read);
  return {
    digest: image.entry.digest,
    reference: target,
    isNew: result.images[0]?.isNew === true,
    blobs: result.blobs,
    copied: result.copied,
    bytes: result.bytes,
    statements: statements.length,
    signers: signers?.texts ?? [],
  };
}

function targetOf(address: RemoteAddress, as: string | undefined): string {
  if (as !== undefined) {
    const { name, tag } = parseNameTag(as);
    return `${name}:${tag}`;
  }
  const last = address.repository.slice(address.repository.lastIndexOf('/') + 1);
  return `${parseName(last, 'an image')}:${address.tag ?? (address.digest === undefined ? 'latest' : hexOf(address.digest).slice(0, 12))}`;
}

/** Who signed the image, where somebody has to have. Throws `image-not-signed`. */
async function trusted(context: Context, digest: Digest, said: readonly FetchedStatement[], what: string) {
  if (context.settings['trusted-keys'] === undefined) return undefined;
  const trust = trustOf(
    digest,
    said.map(({ statement }) => statement),
    await trustedKeys(context),
  );
  if (trust.signers.length === 0) {
    throw new IngotError('verification', 'image-not-signed', `No key that is trusted has signed ${what} (${digest})`, {
      hint: 'The setting trusted-keys says whose signatures count. Nothing was taken into the store.',
    });
  }
  return { named: trust.named, texts: trust.signers.map(({ text }) => text) };
}

interface FetchedStatement extends IncomingStatement {
  readonly statement: Statement;
  /** Digest of its content. */
  readonly content: Digest;
  readonly parts: readonly { readonly digest: Digest; readonly size: number }[];
}

class Puller {
  readonly #context: Context;
  readonly #remote: Remote;
  readonly #invalid: ReturnType<typeof remoteInvalid>;
  readonly #what: string;
  readonly #scratch: string;

  constructor(context: Context, remote: Remote, what: string, scratch: string) {
    this.#scratch = scratch;
    this.#context = context;
    this.#remote = remote;
    this.#what = what;
    this.#invalid = remoteInvalid(what);
  }

  async image(reference: string): Promise<IncomingImage> {
    const { bytes, manifest } = await this.#manifest(reference);
    const digest = digestOf(bytes);
    checkImageManifest(digest, manifest, this.#invalid);
    const config = this.#parse(imageConfigSchema, await this.#small(manifest.config));
    return incomingImage({ digest, size: bytes.length, annotations: {} }, manifest, config, this.#context.host.clock.now().toISOString(), this.#invalid);
  }

  /** What is said about an image, of the kinds that ingot knows; what other tools say of it is left there. */
  async statements({ entry }: IncomingImage): Promise<FetchedStatement[]> {
    const found: FetchedStatement[] = [];
    for (const digest of new Set(await this.#remote.statements(entry.digest))) {
      const { bytes, manifest } = await this.#manifest(digest);
      const kind = kindOf(manifest.annotations);
      const content = manifest.layers[0];
      if (kind === undefined || content === undefined || !isStatement(manifest, kind) || manifest.subject.digest !== entry.digest) continue;
      const value = this.#parse(z.unknown(), await this.#small(content));
      await this.#small(manifest.config);
      const statement = this.#understand(() => parseStatement(kind, value));
      const told = this.#understand(() => statementEntry({ digest, size: bytes.length }, entry.digest, statement, manifest.annotations));
      const parts = [{ digest, size: bytes.length }, manifest.config, content];
      found.push({ entry: told, subject: entry.digest, blobs: parts.map((one) => one.digest), statement, content: content.digest, parts });
    }
    return found;
  }

  /** Fetches the blobs that the store lacks; digest -> file. */
  async fetchMissing(blobs: ReadonlyMap<Digest, { readonly size: number }>, onProgress: PullOptions['onProgress']): Promise<Map<Digest, string>> {
    const { host, home } = this.#context;
    const missing: { digest: Digest; size: number }[] = [];
    for (const [digest, { size }] of blobs) {
      const isThere = (await isWhole(host, home, { digest, size })) && (await host.files.sha256(home.blob(digest))).hex === hexOf(digest);
      if (!isThere) missing.push({ digest, size });
    }
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    const copied = new Map<Digest, string>();
    const tell = blobProgress(total, onProgress);
    await inPool(
      PARALLEL,
      missing,
      async (blob, signal) => {
        const { digest } = blob;
        const small = this.#fetched.get(digest);
        const file = await fetchBlob({ ...this.#context, signal }, small === undefined ? this.#remote : inMemory(small), blob, {
          what: this.#what,
          into: this.#scratch,
          onProgress: (bytes) => tell(digest, bytes),
        });
        copied.set(digest, file);
        this.read.add(digest);
      },
      this.#context.signal,
    );
    return copied;
  }

  /** Every blob that was fetched. */
  readonly read = new Set<Digest>();
  /** Small blobs that were read already: manifests, configs, statements. */
  readonly #fetched = new Map<Digest, Uint8Array>();

  async #manifest(reference: string): Promise<{ bytes: Uint8Array; manifest: Manifest }> {
    const bytes = await this.#remote.manifest(reference);
    if (bytes === undefined) throw new IngotError('not-found', 'remote-unknown', `There is no image ${this.#what}`, { hint: 'Check name and tag.' });
    const digest = digestOf(bytes);
    if (reference.startsWith('sha256:') && reference !== digest) throw mismatch(this.#what, reference, digest);
    this.#fetched.set(digest, bytes);
    return { bytes, manifest: this.#parse(manifestSchema, bytes) };
  }

  async #small(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<Uint8Array> {
    const known = this.#fetched.get(blob.digest);
    if (known !== undefined) return known;
    if (blob.size > LARGEST) throw this.#invalid(`${blob.digest} is said to have ${blob.size} bytes`);
    const path = await fetchBlob(this.#context, this.#remote, blob, { what: this.#what, into: this.#scratch });
    this.read.add(blob.digest);
    const bytes = await this.#context.host.files.read(path);
    this.#fetched.set(blob.digest, bytes);
    return bytes;
  }

  #parse<S extends z.ZodType>(schema: S, bytes: Uint8Array): z.output<S> {
    return this.#understand(() => schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))));
  }

  #understand<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#invalid(error instanceof z.ZodError ? `it does not hold what it should: ${z.prettifyError(error)}` : `it is not JSON`);
    }
  }
}

/** Reads what is here already. */
function inMemory(bytes: Uint8Array): Pick<Remote, 'read'> {
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  return { read: () => Promise.resolve({ from: 0, body: body() }) };
}

function mismatch(what: string, wanted: string, received: Digest): IngotError {
  return new IngotError('verification', 'remote-mismatch', `${what} gave other bytes than those of ${wanted}`, {
    detail: `received ${received}`,
    hint: 'Nothing of the image was taken into the store. The server is damaged, or somebody changed what it sends.',
  });
}
