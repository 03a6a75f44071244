import { createHash } from 'node:crypto';
import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import { hexOf, isDigest, type Digest } from '../base/types.ts';
import { damaged } from '../store/manifest.ts';
import { MEDIA_TYPES } from '../store/media.ts';
import type { S3Address } from './address.ts';
import { bodyOf, send, Transient, type HttpOptions, type HttpRequest } from './http.ts';
import {
  expectStatus,
  readWhole,
  remoteFailed,
  remoteInvalid,
  type IncomingBlob,
  type OutgoingBlob,
  type Remote,
  type SendOptions,
  type StatementDescriptor,
} from './remote.ts';
import { canonicalQuery, EMPTY_HASH, encodeUri, signV4, type AwsCredentials } from './signature-v4.ts';
import { valuesIn, within } from './xml.ts';

export interface S3Options {
  readonly http: HttpOptions;
  readonly files: Pick<Files, 'readPart'>;
  readonly credentials: AwsCredentials;
  readonly region: string;
  /** The server, where it is not AWS; buckets are then a part of the path. */
  readonly endpoint?: URL;
}

/** Bytes of a part: S3 takes no smaller ones, but for the last, and 10,000 at most. */
const LEAST_PART = 8 * 2 ** 20;
const MOST_PARTS = 10_000;
const SMALL = 4 * 2 ** 20;

/**
 * A bucket of an S3 server. Below the prefix lie `blobs/sha256/<hex>`, as in an OCI layout; `refs/<name>/<tag>`, each with the digest of a manifest; and
 * `referrers/<hex of an image>/<hex of a statement>`. Each is one object, so that two who push at the same time take nothing from each other.
 */
export class S3 implements Remote {
  readonly #address: S3Address;
  readonly #options: S3Options;
  readonly #server: string;

  constructor(address: S3Address, options: S3Options) {
    this.#address = address;
    this.#options = options;
    this.#server = `s3://${address.bucket}`;
  }

  async size(digest: Digest): Promise<number | undefined> {
    const response = await this.#call('HEAD', this.#blob(digest));
    if (response.status === 404) return undefined;
    expectStatus(response, [200], this.#server, `asking for ${digest}`);
    return Number(response.headers.get('content-length') ?? Number.NaN);
  }

  async send(blob: OutgoingBlob, { signal, onProgress }: SendOptions): Promise<'sent'> {
    const partSize = Math.max(LEAST_PART, Math.ceil(blob.size / MOST_PARTS));
    if (blob.size <= partSize) {
      const bytes = await this.#part(blob, 0, blob.size);
      if (createHash('sha256').update(bytes).digest('hex') !== hexOf(blob.digest)) throw damaged(blob.path, 'its bytes have changed');
      expectStatus(await this.#call('PUT', this.#blob(blob.digest), { body: bytes, signal }), [200], this.#server, `sending ${blob.digest}`);
      onProgress(blob.size);
      return 'sent';
    }
    await this.#sendParts(blob, partSize, { signal, onProgress });
    return 'sent';
  }

  /** An upload that an earlier command began is gone on with: a part that has arrived is told by its MD5. */
  async #sendParts(blob: OutgoingBlob, partSize: number, { signal, onProgress }: Pick<SendOptions, 'signal' | 'onProgress'>): Promise<void> {
    const key = this.#blob(blob.digest);
    const upload = (await this.#openUploads(key)).at(-1) ?? (await this.#beginUpload(key));
    const there = await this.#parts(key, upload);
    const whole = createHash('sha256');
    const tags: string[] = [];
    for (let offset = 0; offset < blob.size; offset += partSize) {
      signal.throwIfAborted();
      const bytes = await this.#part(blob, offset, Math.min(partSize, blob.size - offset));
      whole.update(bytes);
      const number = tags.length + 1;
      const md5 = createHash('md5').update(bytes).digest('hex');
      const tag = there.get(number);
      if (tag === undefined || tag.replaceAll('"', '') !== md5) {
        const response = await this.#call('PUT', key, { query: { partNumber: String(number), uploadId: upload }, body: bytes, signal });
        expectStatus(response, [200], this.#server, `sending part ${number} of ${blob.digest}`);
        await response.body?.cancel();
        tags.push(response.headers.get('etag') ?? `"${md5}"`);
      } else tags.push(tag);
      onProgress(offset + bytes.length);
    }
    if (whole.digest('hex') !== hexOf(blob.digest)) {
      await this.#call('DELETE', key, { query: { uploadId: upload } });
      throw damaged(blob.path, 'its bytes have changed');
    }
    const parts = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`).join('');
    const body = Uint8Array.from(Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`));
    const response = await this.#call('POST', key, { query: { uploadId: upload }, body, signal });
    // It may have been finished although the answer did not arrive.
    if (response.status === 404 && (await this.size(blob.digest)) === blob.size) return;
    expectStatus(response, [200], this.#server, `finishing ${blob.digest}`);
    // S3 answers 200 before it is done, and then perhaps with an error.
    const answer = Buffer.from(await this.#small(response)).toString('utf8');
    if (within(answer, 'Error').length > 0) throw remoteFailed(this.#server, `finishing ${blob.digest}: ${valuesIn(answer, 'Code')[0] ?? 'an error'}`);
  }

  async #beginUpload(key: string): Promise<string> {
    const response = await this.#call('POST', key, { query: { uploads: '' } });
    expectStatus(response, [200], this.#server, 'beginning an upload');
    const [id] = valuesIn(Buffer.from(await this.#small(response)).toString('utf8'), 'UploadId');
    if (id === undefined) throw remoteFailed(this.#server, 'it does not name the upload that it began');
    return id;
  }

  async #openUploads(key: string): Promise<string[]> {
    const response = await this.#call('GET', '', { query: { uploads: '', prefix: key } });
    // Not everybody who may write may list.
    if (response.status === 403) return [];
    expectStatus(response, [200], this.#server, 'listing uploads');
    const answer = Buffer.from(await this.#small(response)).toString('utf8');
    return within(answer, 'Upload').flatMap((one) => (valuesIn(one, 'Key')[0] === key ? (valuesIn(one, 'UploadId')[0] ?? []) : []));
  }

  async #parts(key: string, upload: string): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    for (let marker = '0'; ;) {
      const response = await this.#call('GET', key, { query: { uploadId: upload, 'part-number-marker': marker } });
      if (response.status === 404 || response.status === 403) return found;
      expectStatus(response, [200], this.#server, 'listing parts');
      const answer = Buffer.from(await this.#small(response)).toString('utf8');
      for (const part of within(answer, 'Part')) {
        const [number, tag] = [valuesIn(part, 'PartNumber')[0], valuesIn(part, 'ETag')[0]];
        if (number !== undefined && tag !== undefined) found.set(Number(number), tag);
      }
      const next = valuesIn(answer, 'NextPartNumberMarker')[0];
      if (valuesIn(answer, 'IsTruncated')[0] !== 'true' || next === undefined || next === marker) return found;
      marker = next;
    }
  }

  async read({ digest, size }: IncomingBlob, from: number, signal: AbortSignal) {
    const response = await this.#call('GET', this.#blob(digest), { headers: from === 0 ? {} : { range: `bytes=${from}-` }, expects: size - from, signal });
    if (response.status === 404) throw new IngotError('not-found', 'remote-unknown', `${this.#server} has no blob ${digest}`);
    expectStatus(response, from === 0 ? [200] : [200, 206], this.#server, `reading ${digest}`);
    return { from: response.status === 206 ? from : 0, body: bodyOf(response) };
  }

  async manifest(reference: string): Promise<Uint8Array | undefined> {
    const digest = isDigest(reference) ? reference : await this.#tagged(reference);
    return digest === undefined ? undefined : await this.#object(this.#blob(digest));
  }

  async #tagged(tag: string): Promise<Digest | undefined> {
    const bytes = await this.#object(this.#ref(tag));
    const text = bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8').trim();
    if (text !== undefined && !isDigest(text)) throw remoteInvalid(this.#server)(`${this.#ref(tag)} does not hold a digest`);
    return text;
  }

  async putManifest(reference: string, manifest: Uint8Array, _mediaType: string): Promise<void> {
    const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
    if (!isDigest(digest)) return;
    await this.#put(this.#blob(digest), manifest);
    if (isDigest(reference)) return;
    await this.#put(this.#ref(reference), Buffer.from(`${digest}\n`));
  }

  async statements(subject: Digest): Promise<Digest[]> {
    const prefix = this.#key(`referrers/${hexOf(subject)}/`);
    const found: Digest[] = [];
    for (let token: string | undefined; ;) {
      const response = await this.#call('GET', '', { query: { 'list-type': '2', prefix, ...(token === undefined ? {} : { 'continuation-token': token }) } });
      expectStatus(response, [200], this.#server, 'listing statements');
      const answer = Buffer.from(await this.#small(response)).toString('utf8');
      for (const key of within(answer, 'Contents').flatMap((one) => valuesIn(one, 'Key').slice(0, 1))) {
        const digest = `sha256:${key.slice(prefix.length)}`;
        if (isDigest(digest)) found.push(digest);
      }
      token = valuesIn(answer, 'NextContinuationToken')[0];
      if (token === undefined) return found;
    }
  }

  async attach(subject: Digest, statements: readonly StatementDescriptor[]): Promise<void> {
    for (const one of statements)
      await this.#put(this.#key(`referrers/${hexOf(subject)}/${hexOf(one.digest)}`), Buffer.from(JSON.stringify({ ...one, mediaType: MEDIA_TYPES.manifest })));
  }

  async #put(key: string, bytes: Uint8Array): Promise<void> {
    const response = await this.#call('PUT', key, { body: Uint8Array.from(bytes) });
    expectStatus(response, [200], this.#server, `storing ${key}`);
    await response.body?.cancel();
  }

  async #object(key: string): Promise<Uint8Array | undefined> {
    const response = await this.#call('GET', key);
    if (response.status === 404) return undefined;
    expectStatus(response, [200], this.#server, `reading ${key}`);
    return await this.#small(response);
  }

  async #small(response: Response): Promise<Uint8Array> {
    try {
      return await readWhole(bodyOf(response), SMALL, remoteInvalid(this.#server));
    } catch (error) {
      if (error instanceof Transient) throw remoteFailed(this.#server, error.message, error);
      throw error;
    }
  }

  async #part({ path, size }: OutgoingBlob, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = Uint8Array.from(await this.#options.files.readPart(path, offset, length));
    if (bytes.length !== length) throw damaged(path, `it has ${offset + bytes.length} bytes instead of ${size}`);
    return bytes;
  }

  /** Sends a signed request; what is read and what is written may both be done twice. */
  async #call(
    method: HttpRequest['method'],
    key: string,
    more: Pick<HttpRequest, 'headers' | 'signal' | 'expects'> & {
      readonly query?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array<ArrayBuffer>;
    } = {},
  ): Promise<Response> {
    const { credentials, region, http } = this.#options;
    const url = this.#url(key);
    for (const [name, value] of Object.entries(more.query ?? {})) url.searchParams.set(name, value);
    // Sent as it is signed.
    url.search = canonicalQuery(url);
    const bodyHash = more.body === undefined ? EMPTY_HASH : createHash('sha256').update(more.body).digest('hex');
    const headers = { ...more.headers, 'x-amz-content-sha256': bodyHash };
    const signed = signV4({ method, url, headers, bodyHash }, { credentials, region, service: 's3', now: http.clock.now() });
    const { query: _, ...rest } = more;
    return await send({ ...rest, method, url, headers: signed }, http);
  }

  #url(key: string): URL {
    const { endpoint, region } = this.#options;
    const path = key.split('/').map(encodeUri).join('/');
    if (endpoint !== undefined) return new URL(`${endpoint.pathname.replace(/\/$/, '')}/${this.#address.bucket}/${path}`, endpoint);
    // A bucket with dots fits no certificate as a part of the name.
    if (this.#address.bucket.includes('.')) return new URL(`https://s3.${region}.amazonaws.com/${this.#address.bucket}/${path}`);
    return new URL(`https://${this.#address.bucket}.s3.${region}.amazonaws.com/${path}`);
  }

  #key(path: string): string {
    return this.#address.prefix === '' ? path : `${this.#address.prefix}/${path}`;
  }

  #blob(digest: Digest): string {
    return this.#key(`blobs/sha256/${hexOf(digest)}`);
  }

  #ref(tag: string): string {
    return this.#key(`refs/${this.#address.repository}/${tag}`);
  }
}
