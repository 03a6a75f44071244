import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import type { CloudImage } from '../../src/catalog/cloud-image-schema.ts';
import { openSigners, type Signer } from './signing.ts';

/** A mirror of cloud images on this host, with a signed list of checksums, and a catalog folder that knows it. */
export class CloudMirror implements AsyncDisposable {
  readonly folder: string;
  readonly #signers: ReturnType<typeof openSigners>;
  readonly #signer: Signer;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sums = new Map<string, string>();
  readonly #releases: object[] = [];
  /** Paths that were asked for. */
  readonly asked: string[] = [];

  private constructor(folder: string, signers: ReturnType<typeof openSigners>, signer: Signer, server: ReturnType<typeof createServer>) {
    this.folder = folder;
    this.#signers = signers;
    this.#signer = signer;
    this.#server = server;
  }

  static async open(folder: string): Promise<CloudMirror> {
    await mkdir(folder, { recursive: true });
    const signers = openSigners();
    const server = createServer((request, response) => void answer(folder, request.url ?? '/', response, mirror.asked));
    const mirror = new CloudMirror(folder, signers, await signers.make('mirror'), server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get url(): string {
    const address: AddressInfo | string | null = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** Has the mirror say what the files in its folder are, and sign it; `change` makes a list that is wrong. */
  async publish(change: (text: string) => string = (text) => text): Promise<void> {
    const text = [...this.#sums].map(([name, hex]) => `${hex}  ${name}\n`).join('');
    await writeFile(join(this.folder, 'SHA256SUMS'), change(text));
    await writeFile(join(this.folder, 'SHA256SUMS.gpg'), await this.#signer.detached(Buffer.from(text)));
  }

  /** Adds the image of a release, which lies in the folder by now. */
  async add(file: string, release: { readonly id: string; readonly [key: string]: unknown }, image: Partial<CloudImage> = {}): Promise<void> {
    await this.#list(file);
    this.#releases.push({
      version: '12',
      codename: 'bookworm',
      images: { amd64: { url: `${this.url}/${file}`, format: 'qcow2', ...this.#proof(), ...image } },
      ...release,
    });
  }

  /** Adds the medium that installs a release. */
  async addInstaller(file: string, release: { readonly id: string; readonly [key: string]: unknown }, method = 'preseed'): Promise<void> {
    await this.#list(file);
    const installer = { method, iso: { amd64: `${this.url}/${file}` }, ...this.#proof() };
    this.#releases.push({ version: '12', codename: 'bookworm', installer, ...release });
  }

  async #list(file: string): Promise<void> {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(join(this.folder, file))) hash.update(piece);
    this.#sums.set(basename(file), hash.digest('hex'));
  }

  #proof(): object {
    return {
      checksum: { url: `${this.url}/SHA256SUMS`, algorithm: 'sha256', style: 'gnu' },
      signature: { kind: 'detached', url: `${this.url}/SHA256SUMS.gpg`, of: 'checksum', fingerprints: [this.#signer.fingerprint] },
      seen: 'a test',
    };
  }

  /** Writes the releases into a catalog folder, as of a distribution. */
  async catalog(folder: string, distribution: { readonly distribution: string; readonly [key: string]: unknown }): Promise<void> {
    await mkdir(join(folder, 'distros'), { recursive: true });
    await mkdir(join(folder, 'keys'), { recursive: true });
    await writeFile(join(folder, 'keys', 'mirror.asc'), this.#signer.key);
    const keys = [{ fingerprint: this.#signer.fingerprint, file: 'keys/mirror.asc', source: 'a test' }];
    await writeFile(join(folder, 'distros', `${distribution.distribution}.yaml`), stringify({ keys, releases: this.#releases, ...distribution }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#signers[Symbol.asyncDispose]();
  }
}

type Response = Parameters<NonNullable<Parameters<typeof createServer>[1]>>[1];

async function answer(folder: string, path: string, response: Response, asked: string[]): Promise<void> {
  asked.push(path);
  const file = join(folder, basename(path));
  const status = await stat(file).catch(() => undefined);
  if (status === undefined) {
    response.writeHead(404).end();
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(response.req.headers.range ?? '');
  const etag = `"${status.mtimeMs}-${status.size}"`;
  if (response.req.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] === undefined || range[2] === '' ? status.size - 1 : Math.min(status.size - 1, Number(range[2]));
  const headers = { etag, 'accept-ranges': 'bytes', 'content-length': end - start + 1 };
  response.writeHead(range === null ? 200 : 206, range === null ? headers : { ...headers, 'content-range': `bytes ${start}-${end}/${status.size}` });
  createReadStream(file, { start, end }).pipe(response);
}
