import { IngotError } from '../base/errors.ts';
import type { Digest } from '../base/types.ts';
import type { Credentials } from './credentials.ts';

/** A blob to be sent. */
export interface OutgoingBlob {
  readonly digest: Digest;
  readonly size: number;
  /** The file that holds it. */
  readonly path: string;
}

/** A blob to be fetched. */
export type IncomingBlob = Pick<OutgoingBlob, 'digest' | 'size'>;

export interface SendOptions {
  /** A repository of the same server that may have the blob: it is taken from there where the server can. */
  readonly from?: string | undefined;
  readonly signal: AbortSignal;
  /** Bytes of this blob that are there. */
  readonly onProgress: (done: number) => void;
}

/** A place elsewhere that holds images: a repository of a registry, or a name in a bucket. Bytes that come from it are proven by whoever asks. */
export interface Remote {
  /** The bytes of a blob that it has; undefined where it has none. */
  size(digest: Digest): Promise<number | undefined>;
  /** Brings a blob there, whole. A failure in the middle is mended by asking how far it came. Throws `remote-failed`. */
  send(blob: OutgoingBlob, options: SendOptions): Promise<'sent' | 'mounted'>;
  /**
   * The bytes of a blob from an offset on; where the server cannot begin there, from the start: `from` says so. A piece is only valid until the next one is asked
   * for. Throws `remote-unknown`.
   */
  read(blob: IncomingBlob, from: number, signal: AbortSignal): Promise<{ readonly from: number; readonly body: AsyncIterable<Uint8Array> }>;
  /** The manifest under a tag or digest; undefined where there is none. */
  manifest(reference: string): Promise<Uint8Array | undefined>;
  /** Stores a manifest whose blobs are there, under its digest or a tag. */
  putManifest(reference: string, manifest: Uint8Array, mediaType: string): Promise<void>;
  /** Digests of the manifests that are statements about an image. */
  statements(subject: Digest): Promise<Digest[]>;
  /** Makes statements, which are there as manifests, known as being about an image. */
  attach(subject: Digest, statements: readonly StatementDescriptor[]): Promise<void>;
}

export interface StatementDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A server that did not do what was asked. */
export function remoteFailed(what: string, why: string, cause?: unknown): IngotError {
  return new IngotError('upstream', 'remote-failed', `${what}: ${why}`, {
    hint: 'Run the same command again: what arrived is not sent twice.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What the server gave is not what was asked for, or nothing that can be used. */
export function remoteInvalid(what: string): (why: string) => IngotError {
  return (why) =>
    new IngotError('verification', 'remote-invalid', `What ${what} gave cannot be used: ${why}`, { hint: 'Nothing of it was taken into the store.' });
}

/** Reads a small blob whole. Throws `remote-invalid` where it is larger than it may be. */
export async function readWhole(body: AsyncIterable<Uint8Array>, limit: number, invalid: (why: string) => IngotError): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw invalid(`it is larger than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** A server that knows us, or does not want to, and says no. Never with a password. */
export function remoteRefused(server: string, credentials: Credentials | undefined, why: string): IngotError {
  const who = credentials === undefined ? '' : ` to ${credentials.user} (${credentials.from})`;
  return new IngotError('upstream', 'remote-refused', `${server} gives no access${who}: ${why}`, {
    hint: 'Store user and password as a secret; docs/remotes.md says under which name. What `docker login` wrote is read too.',
  });
}

/** Throws `remote-refused`, `remote-unknown` or `remote-failed` where an answer is none of those that are good. */
export function expectStatus(response: Response, statuses: readonly number[], server: string, doing: string): void {
  if (statuses.includes(response.status)) return;
  void response.body?.cancel().catch(() => undefined);
  if (response.status === 401 || response.status === 403) throw remoteRefused(server, undefined, `${doing} is not allowed (${response.status})`);
  if (response.status === 404) throw new IngotError('not-found', 'remote-unknown', `${server} does not know what was asked for: ${doing} (404)`);
  throw remoteFailed(server, `${doing}: it answered ${response.status}`);
}
