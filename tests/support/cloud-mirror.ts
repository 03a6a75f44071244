import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { realHost } from '../../src/base/host.ts';
import type { CloudImage } from '../../src/catalog/cloud-image-schema.ts';
import { openSigners, type Signer, type Signers } from './signing.ts';

/** What goes wrong with a file of the mirror. */
export interface MirrorFault {
  readonly status?: number;
  /** Where the file is instead. */
  readonly redirect?: string;
  /** Bytes in a second, of each connection. */
  readonly rate?: number;
  /** Called before each answer. */
  readonly onRequest?: () => Promise<void>;
}

/** A mirror of cloud images on this host, with a signed list of checksums, and a catalog folder that knows it. */
export class CloudMirror implements AsyncDisposable {
  readonly folder: string;
  readonly #signers: Signers;
  readonly #server: ReturnType<typeof createServer>;
  /** Its owner, whose key the catalog knows. */
  signer: Signer;
  readonly #sums = new Map<string, string>();
  readonly #releases: (() => object)[] = [];
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** By the path of a file, without its slash; a file is found in any folder. */
  readonly faults = new Map<string, MirrorFault>();
  /** Bytes of images that were sent so far. */
  sent = 0;

  private constructor(folder: string, signers: Signers, signer: Signer, server: ReturnType<typeof createServer>) {
    this.folder = folder;
    this.#signers = signers;
    this.signer = signer;
    this.#server = server;
  }

  static async open(folder: string): Promise<CloudMirror> {
    await mkdir(folder, { recursive: true });
    const signers = openSigners();
    const server = createServer((request, response) => void mirror.#answer(request.url ?? '/', response).catch(() => response.destroy()));
    const mirror = new CloudMirror(folder, signers, await signers.make('mirror'), server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get url(): string {
    const address: AddressInfo | string | null = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** Another owner of a mirror. */
  async makeSigner(...options: Parameters<Signers['make']>): Promise<Signer> {
    return await this.#signers.make(...options);
  }

  /** Has the mirror say what the files in its folder are, and sign it; `change` makes a list that is wrong, `signer` is somebody else. */
  async publish({
    change = (text) => text,
    signer = this.signer,
  }: { readonly change?: (text: string) => string; readonly signer?: Signer } = {}): Promise<void> {
    const text = [...this.#sums].map(([name, hex]) => `${hex}  ${name}\n`).join('');
    await writeFile(join(this.folder, 'SHA256SUMS'), change(text));
    await writeFile(join(this.folder, 'SHA256SUMS.gpg'), await signer.detached(Buffer.from(text)));
  }

  /** Looks at a file again, whose content has changed. */
  async hash(file: string): Promise<void> {
    this.#sums.set(basename(file), (await realHost().files.sha256(join(this.folder, file))).hex);
  }

  /** Adds the image of a release, which lies in the folder by now. */
  async add(file: string, release: { readonly id: string; readonly [key: string]: unknown }, image: Partial<CloudImage> = {}): Promise<void> {
    await this.hash(file);
    this.#releases.push(() => ({
      version: '12',
      codename: 'bookworm',
      images: { amd64: { url: `${this.url}/${file}`, format: 'qcow2', ...this.#proof(), ...image } },
      ...release,
    }));
  }

  /** Adds the medium that installs a release. */
  async addInstaller(file: string, release: { readonly id: string; readonly [key: string]: unknown }, method = 'preseed'): Promise<void> {
    await this.hash(file);
    const media = (): object => ({ amd64: { url: `${this.url}/${file}`, ...this.#proof() } });
    this.#releases.push(() => ({ version: '12', codename: 'bookworm', installer: { method, media: media() }, ...release }));
  }

  #proof(): object {
    return {
      checksum: { url: `${this.url}/SHA256SUMS`, algorithm: 'sha256', style: 'gnu' },
      signature: { kind: 'detached', url: `${this.url}/SHA256SUMS.gpg`, of: 'checksum', fingerprints: [this.signer.fingerprint] },
      seen: 'a test',
    };
  }

  /** Writes the releases into a catalog folder, as of a distribution. */
  async catalog(folder: string, distribution: { readonly distribution: string; readonly [key: string]: unknown }): Promise<void> {
    await mkdir(join(folder, 'distros'), { recursive: true });
    await mkdir(join(folder, 'keys'), { recursive: true });
    await writeFile(join(folder, 'keys', 'mirror.asc'), this.signer.key);
    const keys = [{ fingerprint: this.signer.fingerprint, file: 'keys/mirror.asc', source: 'a test' }];
    await writeFile(
      join(folder, 'distros', `${distribution.distribution}.yaml`),
      stringify({ keys, releases: this.#releases.map((release) => release()), ...distribution }),
    );
  }

  async #answer(path: string, response: Response): Promise<void> {
    this.asked.push(path);
    const fault = this.faults.get(path.slice(1)) ?? {};
    await fault.onRequest?.();
    if (fault.redirect !== undefined) return void response.writeHead(302, { location: fault.redirect }).end();
    const file = join(this.folder, basename(path));
    const status = await stat(file).catch(() => undefined);
    if (status === undefined || fault.status !== undefined) return void response.writeHead(fault.status ?? 404).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(response.req.headers.range ?? '');
    const etag = `"${status.mtimeMs}-${status.size}"`;
    if (response.req.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
    // What a client has of another version of the file is not gone on with.
    const ranged = range !== null && [undefined, etag].includes(response.req.headers['if-range']?.toString());
    const start = ranged ? Number(range[1]) : 0;
    const end = Math.min(ranged && range[2] !== '' ? Number(range[2]) : Infinity, status.size - 1);
    const headers = { etag, 'accept-ranges': 'bytes', 'content-length': end - start + 1 };
    response.writeHead(ranged ? 206 : 200, ranged ? { ...headers, 'content-range': `bytes ${start}-${end}/${status.size}` } : headers);
    await pipeline(createReadStream(file, { start, end }), (chunks: AsyncIterable<Buffer>) => this.#paced(chunks, path, fault.rate), response);
  }

  async *#paced(chunks: AsyncIterable<Buffer>, path: string, rate: number | undefined): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      if (rate !== undefined) await sleep((chunk.length / rate) * 1000);
      if (!path.includes('SHA256SUMS')) this.sent += chunk.length;
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#signers[Symbol.asyncDispose]();
  }
}

type Response = Parameters<NonNullable<Parameters<typeof createServer>[1]>>[1];
