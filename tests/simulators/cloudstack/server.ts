import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned, type SelfSigned } from '../proxmox/self-signed.ts';
import { SimCloud } from './cloud.ts';
import { checkRequest, contractCommand, hasContract, type ContractVersion } from './contract.ts';
import { SimRefusal } from './model.ts';
import { ROUTES } from './routes.ts';
import { signatureFault } from './signature.ts';
import { extractRoute } from './instance-template-routes.ts';
import { serveTemplate } from './serve-template.ts';
import { uploadRoute } from './template-routes.ts';
import { takeUpload } from './upload.ts';

/** What happens to a request instead of what should: `cut` ends the connection before anything is done, `lost` after it was done, before the answer. */
export type Fault = 'cut' | 'lost';

export interface SimRequest {
  /** Counts from 1. */
  readonly number: number;
  readonly method: string;
  readonly command: string;
}

export interface SimulatorOptions {
  readonly cloud?: SimCloud;
  readonly version?: ContractVersion;
  /** Whether each request is checked against the contract, where that is there. */
  readonly contract?: boolean;
  readonly tls?: boolean;
  /** Whether changes by GET are refused, as servers from 4.21 on can do. */
  readonly enforcePost?: boolean;
  /** Whether uploads have to begin as their format does. */
  readonly checkContent?: boolean;
}

/** A management server, with the upload address of its secondary storage VMs, that behaves as is known of it. It is no proof that a real one does. */
export class CloudSimulator implements AsyncDisposable {
  readonly cloud: SimCloud;
  readonly tls: SelfSigned = selfSigned('cloud.example');
  readonly keys = { apiKey: 'an-API-key_of-86', secretKey: 'a-Secret-KEY_of-86' };
  readonly log: SimRequest[] = [];
  /** Uploads that arrived whole. */
  uploads = 0;
  /** What the contract found wrong with any request. */
  readonly wrong: string[] = [];
  /** Commands that the role lacks. */
  readonly lacks = new Set<string>();
  /** So many requests are held back from now on. */
  heldBack = 0;
  fault: (request: SimRequest) => Fault | undefined = () => undefined;
  /** What happens to an upload. */
  uploadFault: () => Fault | undefined = () => undefined;
  /** Whether the Kubernetes service is switched on. */
  kubernetes = true;
  /** After so many bytes of a template that is downloaded, the connection ends; used up by one. */
  cutDownloadAt: number | undefined;
  /** Called before a request is handled. */
  before: (request: SimRequest) => void = () => undefined;
  readonly #version: ContractVersion;
  readonly #options: SimulatorOptions;
  readonly #server;
  readonly #uploadServer;

  private constructor(options: SimulatorOptions) {
    this.cloud = options.cloud ?? new SimCloud();
    this.#version = options.version ?? '4.22';
    this.#options = options;
    const [api, upload] = [
      (request: IncomingMessage, response: ServerResponse): void => void this.#handle(request, response),
      (request: IncomingMessage, response: ServerResponse): void => void this.#upload(request, response),
    ];
    const certificate = { key: this.tls.key, cert: this.tls.certificate };
    const tls = options.tls === true;
    this.#server = tls ? createHttpsServer(certificate, api) : createHttpServer(api);
    this.#uploadServer = tls ? createHttpsServer(certificate, upload) : createHttpServer(upload);
  }

  static async start(options: SimulatorOptions = {}): Promise<CloudSimulator> {
    const simulator = new CloudSimulator(options);
    simulator.cloud.folder = await mkdtemp(join(tmpdir(), 'ingot-cloudstack-'));
    for (const server of [simulator.#server, simulator.#uploadServer]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return simulator;
  }

  get url(): string {
    return `${this.#origin(this.#server.address())}/client/api`;
  }

  #origin(address: string | AddressInfo | null): string {
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return `${this.#options.tls === true ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#server, this.#uploadServer]) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
    for (const vm of this.cloud.vms.values()) await vm.guest?.stop();
    await rm(this.cloud.folder, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => undefined);
    const url = new URL(request.url ?? '/', 'https://x');
    if (url.pathname !== '/client/api') return void response.writeHead(404).end('no such page');
    const text = await textOf(request);
    const values = new Map([...url.searchParams, ...new URLSearchParams(text)]);
    const entry: SimRequest = { number: this.log.length + 1, method: request.method ?? '', command: values.get('command') ?? '' };
    this.log.push(entry);
    const fault = this.fault(entry);
    if (fault === 'cut') return void request.socket.destroy();
    let [status, body]: [number, unknown] = [200, {}];
    try {
      this.before(entry);
      body = await this.#answer(entry, values);
    } catch (error) {
      status = error instanceof SimRefusal ? error.code : 530;
      body = { uuidList: [], errorcode: status, cserrorcode: 9999, errortext: error instanceof Error ? error.message : String(error) };
    }
    if (fault === 'lost') return void request.socket.destroy();
    const date = new Date(Date.now() + this.cloud.skewSeconds * 1000).toUTCString();
    const name = entry.command === 'getUploadParamsForTemplate' ? 'postuploadtemplate' : entry.command.toLowerCase();
    response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', date }).end(JSON.stringify({ [`${name}response`]: body }));
  }

  async #answer({ method, command }: SimRequest, values: ReadonlyMap<string, string>): Promise<unknown> {
    if (this.heldBack > 0) {
      this.heldBack -= 1;
      throw new SimRefusal(429, 'The given user has reached his/her account api limit, please retry after 900 ms.');
    }
    const now = new Date(Date.now() + this.cloud.skewSeconds * 1000);
    const fault = values.get('apikey') === this.keys.apiKey ? signatureFault(values, this.keys.secretKey, now) : 'the key is unknown';
    if (fault !== undefined) throw new SimRefusal(401, 'unable to verify user credentials and/or request signature');
    const parameters = Object.fromEntries(values);
    const handler = this.#own(command);
    if (handler === undefined || this.lacks.has(command))
      throw new SimRefusal(432, `The given command '${command}' either does not exist, is not available for user.`);
    if (this.#options.enforcePost === true && method === 'GET' && !/^(?:list|query|get)/.test(command)) throw new SimRefusal(405, 'Method not allowed');
    this.#check(parameters);
    return await handler(this.cloud, parameters);
  }

  #own(command: string): (typeof ROUTES)[string] | undefined {
    const storage = (): string => this.#origin(this.#uploadServer.address());
    if (command === 'getUploadParamsForTemplate') return uploadRoute(storage);
    if (command === 'extractTemplate') return extractRoute(storage);
    if (command === 'listCapabilities')
      return () => ({
        capability: {
          cloudstackversion: `${this.#version}.1.0`,
          userpublictemplateenabled: true,
          kubernetesserviceenabled: this.kubernetes,
          apilimitmax: 25,
          apilimitinterval: 1,
        },
      });
    if (command === 'listApis')
      return () => ({
        api: Object.keys(ROUTES)
          .concat('listCapabilities', 'listApis', 'getUploadParamsForTemplate', 'extractTemplate')
          .filter((name) => !this.lacks.has(name))
          .map((name) => ({ name })),
      });
    return Object.hasOwn(ROUTES, command) ? ROUTES[command] : undefined;
  }

  /** A real server only logs parameters that it does not know; here that is a defect of the client. */
  #check(parameters: Readonly<Record<string, string>>): void {
    if (this.#options.contract === false || !hasContract) return;
    const errors = checkRequest(this.#version, parameters);
    if (errors === undefined) throw new SimRefusal(432, `${this.#version} has no ${parameters['command'] ?? ''}`);
    if (Object.keys(errors).length === 0) return;
    this.wrong.push(`${parameters['command'] ?? ''}: ${JSON.stringify(errors)}`);
    throw new SimRefusal(431, `Unable to execute API command ${parameters['command'] ?? ''} due to ${JSON.stringify(errors)}`);
  }

  /** What a command of the contract is answered by; a test asks whether all of a list are there. */
  static knows(command: string): boolean {
    return hasContract && contractCommand('4.22', command) !== undefined;
  }

  async #upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => undefined);
    if (request.method === 'GET' || request.method === 'HEAD') {
      const cutAt = this.cutDownloadAt;
      this.cutDownloadAt = undefined;
      return await serveTemplate(this.cloud, request, response, cutAt);
    }
    const fault = this.uploadFault();
    if (fault === 'cut') {
      request.once('data', () => request.socket.destroy());
      return;
    }
    try {
      const end = await takeUpload(this.cloud, request, `${this.#origin(this.#uploadServer.address())}${request.url ?? ''}`, {
        checkContent: this.#options.checkContent ?? false,
      });
      if (end.status === 200) this.uploads += 1;
      if (fault === 'lost') return void request.socket.destroy();
      response.writeHead(end.status).end(end.text);
    } catch (error) {
      // A connection that was cut by the client while its body was read.
      if (!request.socket.destroyed) response.writeHead(500).end(String(error));
    }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
