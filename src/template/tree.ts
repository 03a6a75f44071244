import { basename, dirname, join, resolve } from 'node:path';
import { systemErrorCode } from '../base/errors.ts';
import type { FileDigests } from '../base/file-digests.ts';
import type { FileStatus } from '../base/files.ts';
import type { Host } from '../base/host.ts';
import type { HostPath } from '../base/types.ts';
import { isBelow, type Refusal } from './confine.ts';
import type { FileTree, TreeEntry } from './template.ts';

export interface TreeOptions {
  /** The folder that links must not lead out of. */
  readonly root: HostPath;
  /** Permissions instead of the files' own. */
  readonly mode?: number;
  readonly directoryMode?: number;
  /** Names that are left out, at any depth. */
  readonly without?: readonly string[];
}

export interface TreeReading {
  readonly tree: FileTree;
  readonly refusals: readonly Refusal[];
  /** What the small files hold, for those who look for something in them. */
  readonly contents: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** Entries of a tree; more is a mistake, such as the copy of a whole disk. */
const MAX_ENTRIES = 200_000;
const PARALLEL = 8;
/** Files up to this size are read whole; larger ones in pieces, and their hashes are remembered. */
const WHOLE = 2 ** 20;
/** Bytes of small files that are kept to be looked through. */
const MOST_KEPT = 16 * 2 ** 20;

/**
 * Reads what a template copies: names, permissions, links and the hashes of contents, sorted by path. Links are kept as they are and never
 * followed. What cannot go into an image (a socket, a device, a link out of the template's folder) is a refusal, each of them.
 */
export async function readTree(host: Pick<Host, 'files'>, path: HostPath, options: TreeOptions, digests: FileDigests): Promise<TreeReading> {
  const walk = new Walk(host, path, options, digests);
  const status = await host.files.status(path);
  if (status?.kind === 'directory') await walk.folder('', status);
  else if (status !== undefined) await walk.entry('', status);
  else walk.refusals.push({ message: `${basename(path)} is gone` });
  const entries = (await walk.hashed()).toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { tree: { root: path, single: status?.kind !== 'directory', entries }, refusals: walk.refusals, contents: walk.contents };
}

interface Found {
  readonly path: string;
  readonly mode: number;
  readonly status: FileStatus;
}

class Walk {
  readonly refusals: Refusal[] = [];
  readonly contents: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  #kept = 0;
  readonly #host: Pick<Host, 'files'>;
  readonly #start: HostPath;
  readonly #options: TreeOptions;
  readonly #digests: FileDigests;
  readonly #entries: TreeEntry[] = [];
  readonly #files: Found[] = [];
  #full = false;

  constructor(host: Pick<Host, 'files'>, start: HostPath, options: TreeOptions, digests: FileDigests) {
    this.#host = host;
    this.#start = start;
    this.#options = options;
    this.#digests = digests;
  }

  /** Whether the limit is reached, which is said once. */
  #isFull(): boolean {
    if (!this.#full && this.#entries.length + this.#files.length >= MAX_ENTRIES) {
      this.#full = true;
      this.refusals.push({ message: `holds more than ${MAX_ENTRIES} files and folders` });
    }
    return this.#full;
  }

  async folder(path: string, status: FileStatus): Promise<void> {
    if (this.#isFull()) return;
    this.#entries.push({ type: 'folder', path, mode: this.#options.directoryMode ?? status.mode });
    const names = (await this.#host.files.list(join(this.#start, path))).filter((name) => this.#options.without?.includes(name) !== true);
    const found = await Promise.all(names.map(async (name) => ({ name, status: await this.#host.files.status(join(this.#start, path, name)) })));
    for (const { name, status } of found) {
      const inner = path === '' ? name : `${path}/${name}`;
      if (status === undefined) this.refusals.push({ message: `${inner} cannot be read: its name is not UTF-8, or it is gone` });
      else if (status.kind === 'directory') await this.folder(inner, status);
      else await this.entry(inner, status);
    }
  }

  async entry(path: string, status: FileStatus): Promise<void> {
    if (this.#isFull()) return;
    if (status.kind === 'file') this.#files.push({ path, mode: this.#options.mode ?? status.mode, status });
    else if (status.kind === 'link') await this.#link(path);
    else this.refusals.push({ message: `${path === '' ? basename(this.#start) : path} is a device, pipe or socket, which no image can have` });
  }

  async #link(path: string): Promise<void> {
    const at = join(this.#start, path);
    const target = await this.#host.files.readLink(at);
    // An absolute target is a path of the image. A relative one means something beside the link; beyond the template it is a mistake, or worse.
    if (!target.startsWith('/') && !isBelow(this.#options.root, resolve(dirname(at), target))) {
      this.refusals.push({
        message: `${path} is a link to ${target}, out of the template's folder`,
        hint: 'A link to an absolute path is kept as it is, as a path of the image.',
      });
    } else {
      this.#entries.push({ type: 'link', path, target });
    }
  }

  async hashed(): Promise<TreeEntry[]> {
    const queue = [...this.#files];
    const worker = async (): Promise<void> => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) await this.#hash(file);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, queue.length) }, worker));
    return this.#entries;
  }

  async #hash({ path, mode, status }: Found): Promise<void> {
    const at = join(this.#start, path);
    try {
      const { hex, size } = status.size > WHOLE ? await this.#hashLarge(at, status) : await this.#hashWhole(path, at);
      this.#entries.push({ type: 'file', path, mode, size, sha256: hex });
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === undefined) throw error;
      this.refusals.push({ message: `${path === '' ? basename(this.#start) : path} cannot be read (${code})` });
    }
  }

  async #hashLarge(at: string, status: FileStatus): Promise<{ readonly hex: string; readonly size: number }> {
    return { hex: await this.#digests.of(at, status), size: status.size };
  }

  async #hashWhole(path: string, at: string): Promise<{ readonly hex: string; readonly size: number }> {
    const content = await this.#host.files.read(at);
    if (this.#kept < MOST_KEPT) this.contents.push({ path, bytes: content });
    this.#kept += content.length;
    const { createHash } = process.getBuiltinModule('node:crypto');
    return { hex: createHash('sha256').update(content).digest('hex'), size: content.length };
  }
}
