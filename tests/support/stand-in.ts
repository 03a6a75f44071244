import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { hostProcesses } from '../../src/base/process.ts';
import { buildDeb, type Deb, type StandInPackage } from './stand-in-deb.ts';

export type { StandInPackage } from './stand-in-deb.ts';

/*
 * Stands for a repository, or a place of downloads, that tests cannot reach: small packages of the same names, which install the same units
 * and binaries, signed by a key made for the test. What passes against it proves order, files and wiring; never the software itself.
 */

export interface StandInRepository {
  /** As in the catalog, so that it takes the place of the catalog's. */
  readonly name: string;
  readonly packages: readonly StandInPackage[];
  /** Default `stable`; one that ends in `/` is flat, without components. */
  readonly suites?: readonly string[];
  /** Default `main`. */
  readonly components?: readonly string[];
  /** Signed by another key than the one that it is said to have. */
  readonly wrongKey?: boolean;
}

export interface StandInOptions {
  readonly repositories?: readonly StandInRepository[];
  /** Further files: path below the address -> content. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** A repository as a template's `system.repositories` takes it. */
export interface ServedRepository {
  readonly name: string;
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** The public key, armored. */
  readonly key: string;
}

export interface StandIn extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly repositories: readonly ServedRepository[];
  /** The public key of the repositories, armored; also served as `/key.asc`. */
  readonly key: string;
  /** Its fingerprint, 40 hexadecimal digits. */
  readonly fingerprint: string;
  /** SHA-256 of each served file, by its path without the leading slash. */
  readonly sha256: Readonly<Record<string, string>>;
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[];
}

/**
 * Serves repositories and files on the loopback interface until it is disposed. Needs dpkg-deb and gpg. The keys live only while it
 * is made; everything else only in memory. What is not served is answered by 404.
 */
export async function standIn({ repositories = [], files = {} }: StandInOptions): Promise<StandIn> {
  const served = new Map<string, Buffer>(Object.entries(files).map(([path, content]) => [`/${path.replace(/^\//, '')}`, Buffer.from(content)]));
  const folder = await mkdtemp(join(tmpdir(), 'ingot-si-'));
  let key: SigningKey | undefined;
  try {
    key = await makeKey(folder);
    for (const repository of repositories) {
      const debs = await Promise.all(repository.packages.map((item) => buildDeb(item)));
      for (const [path, content] of await repositoryTree(repository, debs, key)) served.set(`/${repository.name}/${path}`, content);
    }
    served.set('/key.asc', Buffer.from(key.armored));
  } finally {
    await key?.forget();
    await rm(folder, { recursive: true, force: true });
  }
  const requests: string[] = [];
  const server = await serve(served, requests);
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const { armored, fingerprint } = key;
  return {
    url,
    repositories: repositories.map(({ name, suites = ['stable'], components = ['main'] }) => ({
      name,
      uri: `${url}/${name}`,
      suites,
      components,
      key: armored,
    })),
    key: armored,
    fingerprint,
    sha256: Object.fromEntries([...served].map(([path, content]) => [path.slice(1), sha256(content)])),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(files: ReadonlyMap<string, Buffer>, requests: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    // Flat repositories are asked for with `/./`, and apt writes some characters in their long form.
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://stand-in').pathname);
    requests.push(path);
    const content = files.get(path);
    if (content === undefined) response.writeHead(404, { 'content-type': 'text/plain' }).end('There is nothing here.\n');
    else response.writeHead(200, { 'content-length': content.length }).end(request.method === 'HEAD' ? undefined : content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The files of a repository, by path. */
async function repositoryTree(repository: StandInRepository, debs: readonly Deb[], key: SigningKey): Promise<Map<string, Buffer>> {
  const tree = new Map<string, Buffer>();
  for (const deb of debs) tree.set(`pool/${deb.file}`, deb.content);
  const { suites = ['stable'], components = ['main'] } = repository;
  const packages = Buffer.from(
    debs.map((deb) => `${deb.control.trimEnd()}\nFilename: pool/${deb.file}\nSize: ${deb.content.length}\nSHA256: ${sha256(deb.content)}\n`).join('\n'),
  );
  for (const suite of suites) {
    const flat = suite.endsWith('/');
    const at = flat ? suite.replace(/^(\.?\/)+/, '') : `dists/${suite}/`;
    const places = flat ? [''] : components.flatMap((component) => ['amd64', 'arm64'].map((arch) => `${component}/binary-${arch}/`));
    const indexes = places.flatMap((place): [string, Buffer][] => [
      [`${place}Packages`, packages],
      [`${place}Packages.gz`, gzipSync(packages)],
    ]);
    for (const [path, content] of indexes) tree.set(`${at}${path}`, content);
    const release = [
      'Origin: stand-in',
      `Label: ${repository.name}`,
      ...(flat ? [] : [`Suite: ${suite}`, `Codename: ${suite}`, `Components: ${components.join(' ')}`, 'Architectures: amd64 arm64']),
      `Date: ${new Date().toUTCString().replace('GMT', 'UTC')}`,
      'SHA256:',
      ...indexes.map(([path, content]) => ` ${sha256(content)} ${content.length} ${path}`),
      '',
    ].join('\n');
    tree.set(`${at}InRelease`, Buffer.from(await key.clearSign(release, repository.wrongKey === true)));
  }
  return tree;
}

interface SigningKey {
  readonly armored: string;
  readonly fingerprint: string;
  /** Signs a text in place, by the key or by another. */
  clearSign(text: string, byAnother: boolean): Promise<string>;
  /** Ends the agent that holds the keys. */
  forget(): Promise<void>;
}

async function makeKey(folder: string): Promise<SigningKey> {
  const gpg = async (args: readonly string[], stdin?: string): Promise<string> => {
    const { stdout } = await hostProcesses.run(['gpg', '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
      env: { GNUPGHOME: folder },
      timeout: 60,
      ...(stdin === undefined ? {} : { stdin }),
    });
    return stdout;
  };
  const make = async (name: string): Promise<string> => {
    await gpg(['--quick-generate-key', `${name} <${name}@example.invalid>`, 'ed25519', 'sign', 'never']);
    const listed = await gpg(['--with-colons', '--list-keys', `${name}@example.invalid`]);
    return /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '';
  };
  const fingerprint = await make('stand-in');
  let another: string | undefined;
  return {
    fingerprint,
    armored: await gpg(['--armor', '--export', fingerprint]),
    clearSign: async (text, byAnother) => {
      const by = byAnother ? (another ??= await make('another')) : fingerprint;
      return await gpg(['--local-user', by, '--digest-algo', 'SHA256', '--clear-sign'], text);
    },
    forget: async () => void (await hostProcesses.run(['gpgconf', '--kill', 'all'], { env: { GNUPGHOME: folder }, timeout: 30 })),
  };
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
