import { open, type FileHandle } from 'node:fs/promises';
import * as z from 'zod';
import { readTextIfThere, replaceFile } from '../files.ts';
import { hashValue } from '../hash.ts';
import type { Host } from '../host.ts';
import { removeLeftovers } from '../leftovers.ts';
import { Pieces, type Piece } from './pieces.ts';

const VERSION = 1;

const aboutSchema = z.object({
  /** Where the bytes come from, after all redirects. */
  from: z.string(),
  length: z.int().nonnegative(),
  etag: z.string().optional(),
  modified: z.string().optional(),
});

/** Which file of a server it is: while this is the same, so are its bytes. */
export type About = z.output<typeof aboutSchema>;

const journalSchema = z.object({
  v: z.literal(VERSION),
  /** The hash of the address, which may hold a password. */
  url: z.string(),
  about: aboutSchema.extend({ from: z.string().optional() }),
  there: z.array(z.tuple([z.int(), z.int()])),
});

/** What an earlier download left. */
interface Kept {
  readonly about: About;
  readonly there: readonly Piece[];
}

/**
 * A download that goes on: a file of the full length with gaps, and beside it the journal, which says which bytes are on the disk, and of what they are. The
 * journal never says more than what the disk has: the bytes are synced before it is replaced.
 */
export class PartFile implements AsyncDisposable {
  readonly path: string;
  readonly pieces: Pieces;
  readonly #host: Pick<Host, 'files' | 'clock'>;
  readonly #url: string;
  readonly #file: FileHandle;
  readonly #saveSeconds: number;
  #about: About | undefined;
  #saved: number;
  #saving: Promise<void> | undefined;

  private constructor(host: Pick<Host, 'files' | 'clock'>, path: string, url: string, file: FileHandle, saveSeconds: number, kept: Kept | undefined) {
    [this.#host, this.path, this.#url, this.#file, this.#saveSeconds] = [host, path, url, file, saveSeconds];
    this.#about = kept?.about;
    this.pieces = new Pieces(kept?.there);
    this.#saved = host.clock.monotonic();
  }

  /** Opens the part of an address, or begins one; only under a lock that all who write to it take. */
  static async open(host: Pick<Host, 'files' | 'clock'>, path: string, url: string, saveSeconds: number): Promise<PartFile> {
    await removeLeftovers(host.files, journalOf(path));
    const journal = readJournal(await readTextIfThere(host.files, journalOf(path)), url);
    const size = (await host.files.status(path))?.size ?? 0;
    const fits = journal !== undefined && journal.there.every(([start, end]) => start < end && end <= size);
    const file = await open(path, fits ? 'r+' : 'w+', 0o600);
    return new PartFile(host, path, url, file, saveSeconds, fits ? journal : undefined);
  }

  /** What the bytes are of; undefined where none are kept. */
  get about(): About | undefined {
    return this.#about;
  }

  /** Forgets all bytes. */
  async begin(about?: About): Promise<void> {
    await this.#saving;
    await this.#host.files.remove(journalOf(this.path));
    this.pieces.clear();
    this.#about = about;
    // Of a file that was ever emptied, ext4 writes all to the disk before it lets the first who has it open close it.
    if ((await this.#file.stat()).size > 0) await this.#file.truncate(0);
  }

  /** The same bytes can be had from somewhere else. */
  moved(from: string): void {
    if (this.#about !== undefined) this.#about = { ...this.#about, from };
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      written += (await this.#file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
    }
    this.pieces.add(at, at + bytes.length);
    const now = this.#host.clock.monotonic();
    if (this.#about === undefined || this.#saving !== undefined || now - this.#saved < this.#saveSeconds * 1000) return;
    this.#saving = this.save().finally(() => {
      this.#saving = undefined;
      this.#saved = this.#host.clock.monotonic();
    });
    // Whether it failed is told by the next write, or by the one at the end.
    this.#saving.catch(() => undefined);
  }

  /** Writes down what is there. */
  async save(): Promise<void> {
    if (this.#about === undefined) return;
    const about = { ...this.#about, ...(isPlain(this.#about.from) ? {} : { from: undefined }) };
    const journal = { v: VERSION, url: nameOf(this.#url), about, there: this.pieces.list() };
    await this.#file.datasync();
    await replaceFile(this.#host.files, journalOf(this.path), JSON.stringify(journal), 0o600);
  }

  /** Removes it, with all that came. */
  async remove(): Promise<void> {
    await this.#saving;
    await removePart(this.#host, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#saving?.catch(() => undefined);
    await this.#file.close();
    // Nothing can go on from bytes of which no journal speaks.
    if (this.#about === undefined || this.pieces.bytes === 0) await removePart(this.#host, this.path);
  }
}

/** Removes a part and its journal; the journal first, since it speaks of the part. */
export async function removePart(host: Pick<Host, 'files'>, path: string): Promise<void> {
  await host.files.remove(journalOf(path));
  await host.files.remove(path);
}

function nameOf(url: string): string {
  return hashValue(url);
}

/** Whether an address holds nothing that could be a password or a token, and may be written down. */
function isPlain(url: string): boolean {
  const { username, password, search } = new URL(url);
  return username === '' && password === '' && search === '';
}

function journalOf(path: string): string {
  return `${path}.journal`;
}

/** What cannot be read, or is of another address, is no journal: the download begins anew. */
function readJournal(text: string | undefined, url: string): Kept | undefined {
  try {
    const { url: of, about, there } = journalSchema.parse(JSON.parse(text ?? ''));
    return of === nameOf(url) ? { about: { ...about, from: about.from ?? url }, there } : undefined;
  } catch {
    return undefined;
  }
}
