import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';

/*
 * A small OCI registry (distribution specification v1.1) that holds what it was given in memory, and can be told to fail.
 */

/** How the n-th request fails (from 1). */
export type Cut =
  /** The connection is closed before anything is done. */
  | 'before'
  /** Half of what comes is taken, then the connection is closed. */
  | 'middle'
  /** All is done, and the connection is closed instead of an answer. */
  | 'after'
  /** The answer is cut in the middle of its body. */
  | 'answer';

export interface RegistryBehaviour {
  /** What is asked of who comes. */
  auth?: { readonly kind: 'basic' | 'bearer'; readonly user: string; readonly password: string };
  /** Whether it lists referrers by itself. */
  referrers: boolean;
  mounts: boolean;
  /** Which request fails, and how. */
  cut?: { readonly at: number; readonly how: Cut };
  /** The first requests that are answered 429, with Retry-After. */
  busy: number;
  /** Gives other bytes for blobs. */
  lies: boolean;
  /** Forgets uploads that were cut. */
  forgets: boolean;
  ranges: boolean;
}

interface Repository {
  readonly blobs: Set<string>;
  readonly manifests: Map<string, { readonly type: string; readonly digest: string }>;
}

export interface SimulatedRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly server: string;
  readonly behaviour: RegistryBehaviour;
  /** `METHOD path` of every request. */
  readonly requests: string[];
  /** Bytes of blobs that came. */
  received: number;
  readonly blobs: Map<string, Buffer>;
  repository(name: string): Repository;
}

const manifestShape = z.looseObject({
  artifactType: z.string().optional(),
  mediaType: z.string(),
  config: z.looseObject({ digest: z.string(), mediaType: z.string() }).optional(),
  layers: z.array(z.looseObject({ digest: z.string() })).optional(),
  subject: z.looseObject({ digest: z.string() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

/** Starts one; with a key and a certificate it speaks TLS. */
export async function simulateRegistry(tls?: { readonly key: string; readonly cert: string }): Promise<SimulatedRegistry> {
  const behaviour: RegistryBehaviour = { referrers: true, mounts: true, busy: 0, lies: false, forgets: false, ranges: true };
  const repositories = new Map<string, Repository>();
  const uploads = new Map<string, Buffer[]>();
  const tokens = new Set<string>();
  const listener = (request: IncomingMessage, response: ServerResponse): void => void handle(request, response).catch(() => response.destroy());
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer({ ...tls }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = portOf(server.address());
  const self: SimulatedRegistry = {
    server: `127.0.0.1:${port}`,
    behaviour,
    requests: [],
    received: 0,
    blobs: new Map(),
    repository(name) {
      const known = repositories.get(name) ?? { blobs: new Set(), manifests: new Map() };
      repositories.set(name, known);
      return known;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const scheme = tls === undefined ? 'http' : 'https';

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `${scheme}://${self.server}`);
    self.requests.push(`${request.method} ${url.pathname}`);
    const cut = behaviour.cut?.at === self.requests.length ? behaviour.cut.how : undefined;
    if (cut === 'before') return void response.destroy();
    if (behaviour.busy > 0) {
      behaviour.busy -= 1;
      return answer(response, 429, { 'retry-after': '1' });
    }
    const body = await bodyOf(request, cut === 'middle');
    if (url.pathname === '/token') return giveToken(request, response);
    if (!isAllowed(request)) return challenge(response, url);
    const reply = reactTo(request, url, body, cut === 'middle');
    if (cut === 'middle' || cut === 'after') return void response.destroy();
    if (cut === 'answer') {
      response.writeHead(reply.status, { ...reply.headers, 'content-length': String((reply.body?.length ?? 0) + 1) });
      response.write(reply.body?.subarray(0, Math.floor(reply.body.length / 2)) ?? '');
      return void setTimeout(() => response.destroy(), 5);
    }
    answer(response, reply.status, reply.headers, request.method === 'HEAD' ? undefined : reply.body);
  }

  function isAllowed(request: IncomingMessage): boolean {
    const { auth } = behaviour;
    const said = request.headers.authorization ?? '';
    if (auth === undefined) return true;
    return auth.kind === 'basic' ? said === basicOf(auth) : tokens.has(said);
  }

  function challenge(response: ServerResponse, url: URL): void {
    const name = /^\/v2\/(.+?)\/(?:blobs|manifests|referrers)\//.exec(url.pathname)?.[1] ?? '';
    const bearer = `Bearer realm="${scheme}://${self.server}/token",service="simulator",scope="repository:${name}:pull,push"`;
    answer(response, 401, { 'www-authenticate': behaviour.auth?.kind === 'bearer' ? bearer : 'Basic realm="simulator"' });
  }

  function giveToken(request: IncomingMessage, response: ServerResponse): void {
    if (behaviour.auth === undefined || request.headers.authorization !== basicOf(behaviour.auth)) return answer(response, 401, {});
    const token = randomUUID();
    tokens.add(`Bearer ${token}`);
    answer(response, 200, { 'content-type': 'application/json' }, Buffer.from(JSON.stringify({ token })));
  }

  function reactTo(request: IncomingMessage, url: URL, body: Buffer, half: boolean): { status: number; headers: Record<string, string>; body?: Buffer } {
    const [, name = '', kind = '', rest = ''] = /^\/v2\/(.+?)\/(blobs|manifests|referrers)\/(.*)$/.exec(url.pathname) ?? [];
    const repository = self.repository(name);
    if (kind === 'referrers')
      return behaviour.referrers ? { status: 200, headers: { 'content-type': INDEX }, body: listReferrers(repository, rest) } : { status: 404, headers: {} };
    if (kind === 'manifests') return request.method === 'PUT' ? putManifest(repository, rest, body, request, half) : getManifest(repository, rest);
    if (!rest.startsWith('uploads/')) return getBlob(repository, rest, request.headers.range);
    return upload(repository, name, rest.slice('uploads/'.length), url, body, request, half);
  }

  function upload(repository: Repository, name: string, id: string, url: URL, body: Buffer, request: IncomingMessage, half: boolean) {
    if (request.method === 'POST') {
      const [mount, from] = [url.searchParams.get('mount'), url.searchParams.get('from')];
      if (mount !== null && from !== null && behaviour.mounts && self.repository(from).blobs.has(mount)) {
        repository.blobs.add(mount);
        return { status: 201, headers: { location: `/v2/${name}/blobs/${mount}` } };
      }
      const made = randomUUID();
      uploads.set(made, []);
      return { status: 202, headers: { location: `/v2/${name}/blobs/uploads/${made}?state=1`, range: '0-0' } };
    }
    const pieces = uploads.get(id);
    if (pieces === undefined) return { status: 404, headers: {} };
    const done = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const here = { location: `/v2/${name}/blobs/uploads/${id}?state=2` };
    if (request.method === 'GET') return { status: 204, headers: { ...here, range: `0-${Math.max(0, done - 1)}` } };
    if (half && behaviour.forgets) {
      uploads.delete(id);
      return { status: 404, headers: {} };
    }
    const start = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1];
    if (start !== undefined && Number(start) !== done) return { status: 416, headers: { ...here, range: `0-${Math.max(0, done - 1)}` } };
    if (body.length > 0) pieces.push(body);
    self.received += body.length;
    if (request.method === 'PATCH' || half) return { status: 202, headers: { ...here, range: `0-${done + body.length - 1}` } };
    const whole = Buffer.concat(pieces);
    uploads.delete(id);
    if (digestOf(whole) !== url.searchParams.get('digest')) return { status: 400, headers: {}, body: Buffer.from('{"errors":[{"code":"DIGEST_INVALID"}]}') };
    self.blobs.set(digestOf(whole), whole);
    repository.blobs.add(digestOf(whole));
    return { status: 201, headers: { location: `/v2/${name}/blobs/${digestOf(whole)}` } };
  }

  function getBlob(repository: Repository, digest: string, range: string | undefined) {
    const blob = repository.blobs.has(digest) ? self.blobs.get(digest) : undefined;
    if (blob === undefined) return { status: 404, headers: {} };
    const given = behaviour.lies ? Buffer.concat([blob.subarray(0, -1), Buffer.from([(blob.at(-1) ?? 0) ^ 1])]) : blob;
    const from = behaviour.ranges ? Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0) : 0;
    return { status: from === 0 ? 200 : 206, headers: { 'content-length': String(given.length - from) }, body: given.subarray(from) };
  }

  function putManifest(repository: Repository, reference: string, body: Buffer, request: IncomingMessage, half: boolean) {
    if (half) return { status: 400, headers: {} };
    const digest = digestOf(body);
    const shape = manifestShape.parse(JSON.parse(body.toString('utf8')));
    const needs = [...(shape.config === undefined ? [] : [shape.config]), ...(shape.layers ?? [])];
    if (needs.some((one) => !repository.blobs.has(one.digest)))
      return { status: 400, headers: {}, body: Buffer.from('{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}') };
    if (reference.startsWith('sha256:') && reference !== digest) return { status: 400, headers: {} };
    self.blobs.set(digest, body);
    const stored = { type: request.headers['content-type'] ?? '', digest };
    repository.manifests.set(digest, stored).set(reference, stored);
    return { status: 201, headers: behaviour.referrers && shape.subject !== undefined ? { 'oci-subject': shape.subject.digest } : {} };
  }

  function getManifest(repository: Repository, reference: string) {
    const found = repository.manifests.get(reference);
    const body = found === undefined ? undefined : self.blobs.get(found.digest);
    if (found === undefined || body === undefined) return { status: 404, headers: {} };
    return { status: 200, headers: { 'content-type': found.type, 'docker-content-digest': found.digest }, body };
  }

  function listReferrers(repository: Repository, subject: string): Buffer {
    const digests = [...repository.manifests.keys()].filter((one) => one.startsWith('sha256:'));
    const manifests = digests.flatMap((digest) => {
      const body = self.blobs.get(digest) ?? Buffer.from('{}');
      const parsed = manifestShape.safeParse(JSON.parse(body.toString('utf8')));
      if (!parsed.success || parsed.data.subject?.digest !== subject) return [];
      const { mediaType, artifactType, config, annotations } = parsed.data;
      return [{ mediaType, digest, size: body.length, artifactType: artifactType ?? config?.mediaType, annotations }];
    });
    return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  }

  return self;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

function basicOf({ user, password }: { readonly user: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The whole of what comes, or its first half. */
async function bodyOf(request: IncomingMessage, half: boolean): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(Buffer.from(piece));
  const whole = Buffer.concat(pieces);
  return half ? whole.subarray(0, Math.floor(whole.length / 2)) : whole;
}

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body?: Buffer): void {
  response.writeHead(status, { ...(body === undefined ? {} : { 'content-length': String(body.length) }), ...headers });
  response.end(body);
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
