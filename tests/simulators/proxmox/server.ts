import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimCluster } from './cluster.ts';
import { checkRequest, hasContract, type ContractVersion } from './contract.ts';
import { fail, type SimAnswer, type Values } from './machine-routes.ts';
import { findRoute } from './routes.ts';
import { selfSigned, type SelfSigned } from './self-signed.ts';
import { readUpload } from './upload.ts';

/**
 * What happens to a request instead of what should: `cut` ends the connection before anything is done (in the middle of an upload), `lost` after it was
 * done, before the answer.
 */
export type Fault = 'cut' | 'lost';

export interface SimRequest {
  /** Counts from 1. */
  readonly number: number;
  readonly method: string;
  /** Without query. */
  readonly path: string;
}

export interface SimulatorOptions {
  readonly cluster?: SimCluster;
  readonly version?: ContractVersion;
  /** Whether each request is checked against the contract, where that is there. */
  readonly contract?: boolean;
}

const UPLOAD = /^\/nodes\/([^/]+)\/storage\/([^/]+)\/upload$/;
const EXTENSIONS: Readonly<Record<string, RegExp>> = { import: /\.(?:ova|qcow2|raw|vmdk)$/, iso: /\.(?:iso|img)$/, vztmpl: /\.tar(?:\.(?:gz|xz|zst|bz2))?$/ };

/** A Proxmox VE over TLS that behaves as is known of it. It is no proof that a real one does. */
export class Simulator implements AsyncDisposable {
  readonly cluster: SimCluster;
  readonly tls: SelfSigned = selfSigned('pve.example');
  readonly tokenId = 'ingot@pve!test';
  readonly secret = '11111111-2222-3333-4444-555555555555';
  readonly log: SimRequest[] = [];
  /** Bytes of uploads that arrived whole. */
  uploaded = 0;
  /** What the contract found wrong with any request. */
  readonly wrong: string[] = [];
  /** Privileges that the token lacks. */
  readonly lacks = new Set<string>();
  tokenExpired = false;
  fault: (request: SimRequest) => Fault | undefined = () => undefined;
  /** Called before a request is handled: a test takes a VMID, or fills a disk. */
  before: (request: SimRequest) => void = () => undefined;
  readonly #version: ContractVersion;
  readonly #contract: boolean;
  readonly #server;
  #folder = '';

  private constructor(options: SimulatorOptions) {
    this.cluster = options.cluster ?? new SimCluster();
    this.#version = options.version ?? '9.2';
    this.#contract = (options.contract ?? true) && hasContract;
    this.#server = createServer({ key: this.tls.key, cert: this.tls.certificate }, (request, response) => void this.#handle(request, response));
  }

  static async start(options: SimulatorOptions = {}): Promise<Simulator> {
    const simulator = new Simulator(options);
    simulator.#folder = await mkdtemp(join(tmpdir(), 'ingot-pve-'));
    await new Promise<void>((resolve) => simulator.#server.listen(0, '127.0.0.1', resolve));
    return simulator;
  }

  get url(): string {
    const address = this.#server.address();
    return `https://127.0.0.1:${isAddress(address) ? address.port : 0}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://x');
    const path = url.pathname.replace(/^\/api2\/json/, '');
    const entry: SimRequest = { number: this.log.length + 1, method: request.method ?? '', path };
    this.log.push(entry);
    const fault = this.fault(entry);
    if (fault === 'cut') {
      const whole = Number(request.headers['content-length'] ?? 0);
      let got = 0;
      request.on('data', (chunk: Buffer) => (got += chunk.length) * 2 >= whole && request.socket.destroy());
      if (whole === 0) request.socket.destroy();
      request.on('error', () => undefined);
      return;
    }
    request.on('error', () => undefined);
    try {
      this.before(entry);
      const answer = this.#refused(request) ?? (await this.#answer(entry, url, request));
      if (fault === 'lost') request.socket.destroy();
      else this.#send(response, answer);
    } catch (error) {
      // A connection that was cut by the client while its body was read.
      if (!request.socket.destroyed) this.#send(response, fail(String(error)));
    }
  }

  #send(response: ServerResponse, answer: SimAnswer): void {
    const now = new Date(Date.now() + this.cluster.skewSeconds * 1000).toUTCString();
    const headers = { 'content-type': 'application/json', date: now };
    if ('data' in answer) response.writeHead(200, headers).end(JSON.stringify(answer));
    else
      response
        .writeHead(answer.status, answer.reason.replaceAll(/[\r\n]/g, ' '), headers)
        .end(JSON.stringify({ data: null, message: `${answer.reason}\n`, ...(answer.errors === undefined ? {} : { errors: answer.errors }) }));
  }

  #refused(request: IncomingMessage): SimAnswer | undefined {
    if (request.headers.authorization !== `PVEAPIToken=${this.tokenId}=${this.secret}`) return fail('invalid token value!', 401);
    if (this.tokenExpired) return fail(`token '${this.tokenId}' expired`, 401);
    if (request.headers['transfer-encoding'] !== undefined) return fail('chunked transfer encoding not supported', 501);
    return undefined;
  }

  async #answer(entry: SimRequest, url: URL, request: IncomingMessage): Promise<SimAnswer> {
    const { method, path } = entry;
    const upload = UPLOAD.exec(path);
    if (method === 'POST' && upload !== null) return await this.#upload(decodeURIComponent(upload[1] ?? ''), decodeURIComponent(upload[2] ?? ''), request);
    const form = new URLSearchParams(method === 'GET' || method === 'DELETE' ? url.search : await textOf(request));
    if (method === 'GET' && path === '/version') return { data: { version: `${this.#version}.3`, release: this.#version, repoid: 'abcdef0123456789' } };
    if (method === 'GET' && path === '/access/permissions') return { data: this.#permissions() };
    const found = findRoute(method, path);
    if (found === undefined) return fail(`Method '${method} ${path}' not implemented`, 501);
    const values: Values = { ...Object.fromEntries(form), ...found.values };
    return (
      this.#checked(method, found.path, values) ??
      this.#unreachable(values) ??
      this.#forbidden(found.route.needs, values) ??
      (await found.route.handler(this.cluster, values))
    );
  }

  #checked(method: string, path: string, values: Values): SimAnswer | undefined {
    if (!this.#contract) return undefined;
    const errors = checkRequest(this.#version, method, path, values);
    if (errors === undefined) return fail(`Method '${method} ${path}' not implemented`, 501);
    if (Object.keys(errors).length === 0) return undefined;
    this.wrong.push(`${method} ${path}: ${JSON.stringify(errors)}`);
    return { status: 400, reason: 'Parameter verification failed.', errors };
  }

  #unreachable({ node }: Values): SimAnswer | undefined {
    if (node === undefined) return undefined;
    const state = this.cluster.nodes.get(node);
    if (state === undefined) return fail(`hostname lookup '${node}' failed`);
    return state.online ? undefined : fail('No route to host', 595);
  }

  #forbidden(needs: readonly [string, string] | undefined, values: Values): SimAnswer | undefined {
    if (needs === undefined || !this.lacks.has(needs[1])) return undefined;
    const place = needs[0].replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
    return fail(`Permission check failed (${place}, ${needs[1]})`, 403);
  }

  #permissions(): Record<string, Record<string, number>> {
    const all = [
      'VM.Allocate',
      'VM.Audit',
      'VM.Clone',
      'VM.Config.CDROM',
      'VM.Config.CPU',
      'VM.Config.Cloudinit',
      'VM.Config.Disk',
      'VM.Config.HWType',
      'VM.Config.Memory',
      'VM.Config.Network',
      'VM.Config.Options',
      'VM.PowerMgmt',
      'VM.Snapshot',
      'VM.Snapshot.Rollback',
      'VM.Migrate',
      'Datastore.AllocateSpace',
      'Datastore.AllocateTemplate',
      'Datastore.Audit',
      'SDN.Use',
      this.#version.startsWith('8') ? 'VM.Monitor' : 'VM.GuestAgent.Audit',
    ];
    const held = Object.fromEntries(all.flatMap((name) => (this.lacks.has(name) ? [] : [[name, 1]])));
    return Object.fromEntries(['/', '/vms', '/storage', '/sdn/zones', '/nodes'].map((path) => [path, held]));
  }

  async #upload(node: string, storage: string, request: IncomingMessage): Promise<SimAnswer> {
    if (request.headers['content-length'] === undefined) return fail('Content-Length is missing', 501);
    const file = join(this.#folder, `upload-${this.log.length}`);
    const got = await readUpload(request, file);
    if (typeof got === 'string') return { status: 400, reason: 'Parameter verification failed.', errors: { filename: got } };
    const { content } = got.fields;
    if (content === undefined)
      return { status: 400, reason: 'Parameter verification failed.', errors: { content: 'property is missing and it is not optional' } };
    const values = { node, storage, filename: got.filename, ...got.fields };
    const refused =
      this.#checked('POST', '/nodes/{node}/storage/{storage}/upload', values) ??
      this.#unreachable(values) ??
      this.#forbidden(['/storage/{storage}', 'Datastore.AllocateTemplate'], values);
    if (refused !== undefined) return refused;
    const place = this.cluster.storageOn(node, storage);
    if (place === undefined) return fail(`storage '${storage}' does not exist`);
    if (!place.content.includes(content)) return fail(`storage '${storage}' does not support '${content}' content`, 400);
    if (EXTENSIONS[content]?.test(got.filename) !== true) return fail('wrong file extension', 400);
    this.uploaded += got.size;
    const volid = `${storage}:${content === 'vztmpl' ? 'vztmpl' : content}/${got.filename.replaceAll(/[^-a-zA-Z0-9_.]/g, '_')}`;
    const upid = this.cluster.task(node, 'imgcopy', '', () => {
      if (got.fields['checksum'] !== undefined && got.fields['checksum'] !== got.sha256)
        return `checksum mismatch: got '${got.sha256}' != expect '${got.fields['checksum']}'`;
      if (place.used + got.size > place.total) return 'cp: error writing: No space left on device';
      const kind = content === 'iso' || content === 'vztmpl' ? content : 'import';
      this.cluster.addVolume({ volid, storage, node, kind, size: got.size, file });
      return undefined;
    });
    return { data: upid };
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function isAddress(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}
