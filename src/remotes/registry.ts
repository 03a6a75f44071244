import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import type { Digest } from '../base/types.ts';
import { descriptorSchema, MEDIA_TYPES } from '../store/model.ts';
import { isLoopback, type OciAddress } from './address.ts';
import type { Credentials } from './credentials.ts';
import { bodyOf, send as sendRequest, Transient, type HttpOptions, type HttpRequest } from './http.ts';
import { authorize } from './registry-auth.ts';
import {
  expectStatus,
  readWhole,
  remoteFailed,
  remoteInvalid,
  remoteRefused,
  type IncomingBlob,
  type OutgoingBlob,
  type Remote,
  type SendOptions,
  type StatementDescriptor,
} from './remote.ts';
import { uploadBlob } from './upload.ts';

export interface RegistryOptions {
  readonly http: HttpOptions;
  readonly files: Pick<Files, 'readPart'>;
  /** Asked when the server first wants to know who we are. */
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly plainHttp: boolean;
  /** Whether anything is to be written. */
  readonly push: boolean;
}

const MANIFEST_LIMIT = 4 * 2 ** 20;
const MANIFESTS = [MEDIA_TYPES.manifest, MEDIA_TYPES.index].join(', ');
const indexSchema = z.looseObject({ manifests: z.array(descriptorSchema) });

/** A repository of an OCI registry (distribution specification v1.1). Throws `plain-http-refused` where TLS is left away for another machine. */
export class Registry implements Remote {
  readonly #address: OciAddress;
  readonly #options: RegistryOptions;
  readonly #base: URL;
  /** By the scopes that it is for. */
  readonly #authorizations = new Map<string, Promise<string>>();
  #credentials: Promise<Credentials | undefined> | undefined;
  #hasReferrers = true;

  constructor(address: OciAddress, options: RegistryOptions) {
    if (options.plainHttp && !isLoopback(address.server)) {
      throw new IngotError('usage', 'plain-http-refused', `${address.server} is another machine: without TLS, anybody on the way could change what is sent`, {
        hint: 'Leave --plain-http away; the settings remote-ca and remote-fingerprints say which certificate to trust.',
      });
    }
    this.#address = address;
    this.#options = options;
    this.#base = new URL(`${options.plainHttp ? 'http' : 'https'}://${address.server}/v2/${address.repository}/`);
  }

  async size(digest: Digest): Promise<number | undefined> {
    const response = await this.call({ method: 'HEAD', url: this.#at(`blobs/${digest}`) });
    if (response.status === 404) return undefined;
    this.#expect(response, [200], `asking for ${digest}`);
    return Number(response.headers.get('content-length') ?? Number.NaN);
  }

  async send(blob: OutgoingBlob, options: SendOptions): Promise<'sent' | 'mounted'> {
    return await uploadBlob(this, this.#options.files, this.#at('blobs/uploads/'), blob, options);
  }

  async read({ digest, size }: IncomingBlob, from: number, signal: AbortSignal) {
    const headers = from === 0 ? {} : { range: `bytes=${from}-` };
    const response = await this.call({ method: 'GET', url: this.#at(`blobs/${digest}`), headers, signal, expects: size - from });
    if (response.status === 404) throw new IngotError('not-found', 'remote-unknown', `${this.#address.server} has no blob ${digest}`);
    this.#expect(response, from === 0 ? [200] : [200, 206], `reading ${digest}`);
    return { from: response.status === 206 ? from : 0, body: bodyOf(response) };
  }

  async manifest(reference: string): Promise<Uint8Array | undefined> {
    const response = await this.call({ method: 'GET', url: this.#at(`manifests/${reference}`), headers: { accept: MANIFESTS } });
    if (response.status === 404) return undefined;
    this.#expect(response, [200], `reading the manifest ${reference}`);
    return await this.#small(response);
  }

  async putManifest(reference: string, manifest: Uint8Array, mediaType: string): Promise<void> {
    const response = await this.call({
      method: 'PUT',
      url: this.#at(`manifests/${reference}`),
      headers: { 'content-type': mediaType },
      body: Uint8Array.from(manifest),
    });
    this.#expect(response, [201, 200, 202], `storing the manifest ${reference}`);
  }

  async statements(subject: Digest): Promise<Digest[]> {
    return (await this.#referrers(subject)).map(({ digest }) => digest);
  }

  /** Servers that do not list referrers by themselves get them as an index under a tag made of the digest (distribution specification, referrers tag schema). */
  async attach(subject: Digest, statements: readonly StatementDescriptor[]): Promise<void> {
    if (statements.length === 0) return;
    const known = await this.#referrers(subject);
    if (this.#hasReferrers) return;
    const added = statements.filter(({ digest }) => !known.some((other) => other.digest === digest));
    if (added.length === 0) return;
    const manifests = [...known, ...added];
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests }));
    await this.putManifest(tagOf(subject), index, MEDIA_TYPES.index);
  }

  async #referrers(subject: Digest): Promise<StatementDescriptor[]> {
    if (this.#hasReferrers) {
      const response = await this.call({ method: 'GET', url: this.#at(`referrers/${subject}`), headers: { accept: MEDIA_TYPES.index } });
      if (response.status === 200) return this.#parseIndex(await this.#small(response));
      await response.body?.cancel();
      this.#hasReferrers = false;
    }
    const index = await this.manifest(tagOf(subject));
    return index === undefined ? [] : this.#parseIndex(index);
  }

  #parseIndex(bytes: Uint8Array): StatementDescriptor[] {
    const invalid = remoteInvalid(this.#address.server);
    try {
      const { manifests } = indexSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
      return manifests.map(({ mediaType, digest, size, artifactType, annotations }) => ({
        mediaType,
        digest,
        size,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations === undefined ? {} : { annotations }),
      }));
    } catch {
      throw invalid('its list of statements is no index');
    }
  }

  /** Sends a request to the server, with who we are where it asks for that. Its answer is handed on, whatever it says. */
  async call(request: HttpRequest, from?: string): Promise<Response> {
    const scopes = this.#scopes(from);
    const known = await this.#authorizations.get(scopes.join(' '));
    const first = await sendRequest(withAuthorization(request, known), this.#options.http);
    const challenge = first.headers.get('www-authenticate');
    if (first.status !== 401 || challenge === null) return first;
    await first.body?.cancel();
    this.#credentials ??= this.#options.credentials();
    const credentials = await this.#credentials;
    const { server } = this.#address;
    const authorization = authorize(challenge, scopes, { server, credentials, http: this.#options.http });
    this.#authorizations.set(scopes.join(' '), authorization);
    authorization.catch(() => this.#authorizations.delete(scopes.join(' ')));
    const second = await sendRequest(withAuthorization(request, await authorization), this.#options.http);
    if (second.status !== 401) return second;
    await second.body?.cancel();
    throw remoteRefused(server, credentials, 'user and password are not accepted (401)');
  }

  #scopes(from: string | undefined): string[] {
    const actions = this.#options.push ? 'pull,push' : 'pull';
    return [`repository:${this.#address.repository}:${actions}`, ...(from === undefined ? [] : [`repository:${from}:pull`])];
  }

  #at(path: string): URL {
    return new URL(path, this.#base);
  }

  async #small(response: Response): Promise<Uint8Array> {
    try {
      return await readWhole(bodyOf(response), MANIFEST_LIMIT, remoteInvalid(this.#address.server));
    } catch (error) {
      if (error instanceof Transient) throw remoteFailed(this.#address.server, error.message, error);
      throw error;
    }
  }

  #expect(response: Response, statuses: readonly number[], doing: string): void {
    expectStatus(response, statuses, this.#address.server, doing);
  }
}

function tagOf(subject: Digest): string {
  return subject.replace(':', '-');
}

function withAuthorization(request: HttpRequest, authorization: string | undefined): HttpRequest {
  return authorization === undefined ? request : { ...request, headers: { ...request.headers, authorization } };
}
