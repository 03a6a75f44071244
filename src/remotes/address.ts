import { IngotError } from '../base/errors.ts';
import { isDigest, type Digest } from '../base/types.ts';
import { parseTag } from '../store/reference.ts';

/** An image in a registry. */
export interface OciAddress {
  readonly kind: 'oci';
  /** `registry.example:5000`. */
  readonly server: string;
  /** `team/web`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An image in a bucket of an S3 server. */
export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  /** What keys begin with, without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export type RemoteAddress = OciAddress | S3Address;

const SERVER = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/;
/** A path component of a repository (OCI distribution specification). */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9!_.*'()-]+$/;

/**
 * Takes `oci://registry/name:tag`, `oci://registry/name@sha256:…` or `s3://bucket/prefix/name:tag` apart; tag and digest may be left away. Throws
 * `remote-address-invalid`, and `reference-invalid` for a tag.
 */
export function parseRemoteAddress(text: string): RemoteAddress {
  const [, scheme = '', place = '', path = ''] = /^(oci|s3):\/\/([^/]*)\/(.*)$/.exec(text) ?? [];
  if (scheme === '') throw invalid(text, 'Write oci://registry/name:tag, or s3://bucket/prefix/name:tag.');
  const { rest, tag, digest } = splitReference(text, path);
  const parts = rest.split('/');
  const named = { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
  if (scheme === 'oci') {
    if (!SERVER.test(place)) throw invalid(text, 'After oci:// stands the name of a server, with its port where that is not 443.');
    if (!parts.every((part) => COMPONENT.test(part)) || rest.length > 255)
      throw invalid(text, 'A repository has lower-case letters and digits, and between them dots, dashes, underscores and slashes.');
    return { kind: 'oci', server: place, repository: rest, ...named };
  }
  const [repository = '', prefix] = [parts.at(-1), parts.slice(0, -1)];
  if (!BUCKET.test(place)) throw invalid(text, 'After s3:// stands the name of a bucket.');
  if (!COMPONENT.test(repository)) throw invalid(text, 'The last part is the name of the image: s3://bucket/prefix/name:tag.');
  if (!prefix.every((part) => PREFIX.test(part) && part !== '.' && part !== '..'))
    throw invalid(text, 'A prefix has letters, digits, dots, dashes and underscores.');
  return { kind: 's3', bucket: place, prefix: prefix.join('/'), repository, ...named };
}

/** The address as it is written. */
export function formatRemoteAddress(address: RemoteAddress): string {
  const place = address.kind === 'oci' ? [`oci://${address.server}`] : [`s3://${address.bucket}`, ...(address.prefix === '' ? [] : [address.prefix])];
  const which = address.digest === undefined ? (address.tag === undefined ? '' : `:${address.tag}`) : `@${address.digest}`;
  return `${[...place, address.repository].join('/')}${which}`;
}

/** Whether a server is this machine: only there is plain HTTP good enough. */
export function isLoopback(server: string): boolean {
  const name = server.startsWith('[') ? server.slice(1, server.indexOf(']')) : server.replace(/:\d+$/, '');
  return name === 'localhost' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

function splitReference(text: string, path: string): { rest: string; tag?: string; digest?: Digest } {
  const at = path.indexOf('@');
  if (at !== -1) {
    const digest = path.slice(at + 1);
    if (!isDigest(digest)) throw invalid(text, 'After @ stands sha256: and 64 hexadecimal digits.');
    return { rest: path.slice(0, at), digest };
  }
  const colon = path.lastIndexOf(':');
  return colon === -1 ? { rest: path } : { rest: path.slice(0, colon), tag: parseTag(path.slice(colon + 1)) };
}

function invalid(text: string, hint: string): IngotError {
  return new IngotError('usage', 'remote-address-invalid', `${JSON.stringify(text)} is not the address of an image elsewhere`, { hint });
}
