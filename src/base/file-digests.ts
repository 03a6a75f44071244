import * as z from 'zod';
import { readTextIfThere, replaceFile, type FileStatus } from './files.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';

const cacheSchema = z.record(z.string(), z.string());
/** Milliseconds for which a file must have been left alone: a change within one tick of its clock would not be seen. */
const SETTLED = 2000;
/** Files that are remembered; the oldest go first. */
const MOST = 5000;

/** SHA-256 of large files of the host, remembered for as long as they are unchanged, so that each is read once. */
export class FileDigests {
  readonly #host: Pick<Host, 'files' | 'clock'>;
  readonly #path: string;
  readonly #known: ReadonlyMap<string, string>;
  readonly #used = new Map<string, string>();
  #saved = 0;

  private constructor(host: Pick<Host, 'files' | 'clock'>, path: string, known: Readonly<Record<string, string>>) {
    this.#host = host;
    this.#path = path;
    this.#known = new Map(Object.entries(known));
  }

  static async open(host: Pick<Host, 'files' | 'clock'>, home: Home): Promise<FileDigests> {
    const text = await readTextIfThere(host.files, home.fileDigests);
    return new FileDigests(host, home.fileDigests, cacheSchema.catch({}).parse(text === undefined ? {} : parseJson(text)));
  }

  /** The hexadecimal digits. Throws what reading throws; `status` must be that of the file itself, not of a link. */
  async of(path: string, status: FileStatus): Promise<string> {
    const identity = `${path} ${status.version}`;
    const known = this.#known.get(identity) ?? this.#used.get(identity);
    if (known !== undefined) return known;
    const { hex } = await this.#host.files.sha256(path);
    const same = (await this.#host.files.status(path))?.version === status.version;
    if (same && this.#host.clock.now().getTime() - status.modified.getTime() > SETTLED) this.#used.set(identity, hex);
    return hex;
  }

  /** Writes what is new. */
  async save(): Promise<void> {
    if (this.#used.size === this.#saved) return;
    this.#saved = this.#used.size;
    const all = [...this.#known, ...this.#used].slice(-MOST);
    await replaceFile(this.#host.files, this.#path, JSON.stringify(Object.fromEntries(all)));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // A cache: what cannot be read is made again.
  }
}
