import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostProcesses } from '../../src/base/process.ts';

/* Repositories of pacman that a test makes: packages by tar, the database by the real repo-add, signatures by gpg. Served by `standIn({ files })`. */

export interface PacmanPackage {
  readonly name: string;
  /** With its release: `1.0-1`. */
  readonly version: string;
  readonly depends?: readonly string[];
  /** Absolute path -> content; a mode other than 0644 is said with it. */
  readonly files?: Readonly<Record<string, string | { readonly content: string | Buffer; readonly mode: number }>>;
  readonly links?: Readonly<Record<string, string>>;
  /** Functions of the package's script: `post_install() { …; }`. */
  readonly install?: string;
}

export interface PacmanKey {
  readonly fingerprint: string;
  /** Armored. */
  readonly publicKey: string;
}

/** Keys of packagers, and what signs with them, in a folder of their own. */
export class PacmanKeys implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<PacmanKeys> {
    return new PacmanKeys(await mkdtemp(join(tmpdir(), 'ingot-pk-')));
  }

  async key(name: string): Promise<PacmanKey> {
    await this.#gpg(['--passphrase', '', '--quick-generate-key', `${name} <${name}@example.invalid>`, 'ed25519', 'sign', 'never']);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(await this.#gpg(['--with-colons', '--list-keys', `${name}@example.invalid`]))?.[1] ?? '';
    return { fingerprint, publicKey: await this.#gpg(['--armor', '--export', fingerprint]) };
  }

  /** A detached signature, as pacman wants it. */
  async sign(path: string, { fingerprint }: PacmanKey): Promise<void> {
    await this.#gpg(['--local-user', fingerprint, '--output', `${path}.sig`, '--detach-sign', path]);
  }

  async #gpg(args: readonly string[]): Promise<string> {
    const argv = ['gpg', '--batch', '--yes', '--pinentry-mode', 'loopback', ...args] as const;
    return (await hostProcesses.run(argv, { env: { GNUPGHOME: this.#folder }, timeout: 60 })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await hostProcesses.run(['gpgconf', '--kill', 'all'], { env: { GNUPGHOME: this.#folder }, timeout: 30 });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export interface PacmanRepository {
  /** Path below which it lies. */
  readonly at: string;
  /** What the database is called. */
  readonly name: string;
  readonly packages: readonly PacmanPackage[];
  /** Without one the packages are not signed. */
  readonly key?: PacmanKey;
  /** Without one the database is not signed. */
  readonly databaseKey?: PacmanKey;
}

/** The files of a repository, by path. Needs tar, gpg, and repo-add. */
export async function pacmanRepository(keys: PacmanKeys, { at, name, packages, key, databaseKey }: PacmanRepository): Promise<Record<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-pr-'));
  try {
    const built: string[] = [];
    for (const item of packages) {
      const file = join(folder, `${item.name}-${item.version}-any.pkg.tar.gz`);
      await buildPackage(item, file);
      if (key !== undefined) await keys.sign(file, key);
      built.push(file);
    }
    await hostProcesses.run(['repo-add', '--quiet', '--nocolor', join(folder, `${name}.db.tar.gz`), ...built], { timeout: 60, cwd: folder });
    if (databaseKey !== undefined) await keys.sign(join(folder, `${name}.db.tar.gz`), databaseKey);
    const files: [string, Buffer][] = [];
    for (const file of await readdir(folder)) {
      if (file.endsWith('.old') || file.endsWith('.db') || file.endsWith('.files')) continue;
      files.push([`${at}/${file.replace(/^(.*)\.(db|files)\.tar\.gz/, '$1.$2')}`, await readFile(join(folder, file))]);
    }
    return Object.fromEntries(files);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildPackage({ name, version, depends = [], files = {}, links = {}, install }: PacmanPackage, file: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'ingot-pp-'));
  try {
    const put = async (path: string, content: string | Buffer, mode = 0o644): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
      await chmod(join(root, path), mode);
    };
    const info = [
      `pkgname = ${name}`,
      `pkgbase = ${name}`,
      `pkgver = ${version}`,
      `pkgdesc = stands for ${name} in tests`,
      'url = https://example.invalid',
      'builddate = 1700000000',
      'packager = Stand-in <stand-in@example.invalid>',
      'size = 4096',
      'arch = any',
      'license = MIT',
      ...depends.map((depend) => `depend = ${depend}`),
      '',
    ];
    await put('.PKGINFO', info.join('\n'));
    if (install !== undefined) await put('.INSTALL', install);
    for (const [path, given] of Object.entries(files)) await (typeof given === 'string' ? put(path, given) : put(path, given.content, given.mode));
    for (const [path, target] of Object.entries(links)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    }
    const top = (await readdir(root)).toSorted((a, b) => Number(b.startsWith('.')) - Number(a.startsWith('.')) || (a < b ? 1 : -1));
    await hostProcesses.run(['tar', '-C', root, '--owner=0', '--group=0', '--numeric-owner', '--mtime=@1700000000', '-czf', file, ...top], { timeout: 60 });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
