import { dirname } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Secrets } from '../base/secrets.ts';
import type { CatalogData } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { confine, pathBelow, type Confined } from './confine.ts';
import { fetchText, MAX_TEXT } from './fetch.ts';
import { templateInvalid, type LoadedTemplate } from './load.ts';
import type { Reading } from './reading.ts';
import { pathText, placeAt, type PlacedProblem } from './source.ts';
import type { SecretUse } from './template.ts';
import type { TextFrom } from './text.ts';
import type { HostPath } from '../base/types.ts';

export type Path = readonly (string | number)[];

/** Classes of errors that tell of the template, and so belong to a place in it; others stop at once. */
const ABOUT_THE_TEMPLATE = new Set(['usage', 'not-found']);

export interface ScopeOptions {
  readonly catalog: CatalogData;
  readonly secrets: Secrets;
  readonly reading: Reading;
  readonly offline: boolean;
  /** There is no template: what is wrong is a flag, and its own error says so. */
  readonly direct: boolean;
}

/** What the parts of resolving share: where things come from, and where to say what is wrong with them. */
export class Scope {
  readonly context: Context;
  readonly loaded: LoadedTemplate;
  readonly catalog: CatalogData;
  readonly secrets: Secrets;
  readonly reading: Reading;
  readonly offline: boolean;
  readonly #direct: boolean;
  readonly problems: PlacedProblem[] = [];
  /** Files whose content was read, for the search for secrets: the path in the template, and what was in it. */
  readonly contents: { readonly path: Path; readonly name: string; readonly bytes: Uint8Array }[] = [];
  readonly #fingerprints = new Map<string, Promise<string>>();

  constructor(context: Context, loaded: LoadedTemplate, given: ScopeOptions) {
    this.context = context;
    this.loaded = loaded;
    this.catalog = given.catalog;
    this.secrets = given.secrets;
    this.reading = given.reading;
    this.offline = given.offline;
    this.#direct = given.direct;
  }

  /** Notes what is wrong; `confidential` where its line must not be shown. */
  problem(path: Path, message: string, hint?: string, more: { readonly confidential?: boolean } = {}): void {
    const given = hint === undefined ? {} : { hint };
    if (this.#direct) throw new IngotError('usage', 'request-invalid', `${pathText(path)} ${message}`, given);
    this.problems.push({ path: pathText(path), message, ...given, place: placeAt(this.loaded.tree, path), ...more });
  }

  /** The answer, or undefined where it failed by what the template says, which is then a problem at that place. */
  async attempt<T>(path: Path, work: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      // What has problems of its own is another file, with its own lines.
      if (!(error instanceof IngotError) || !ABOUT_THE_TEMPLATE.has(error.class) || error.problems.length > 0 || this.#direct) throw error;
      this.problem(path, lowerFirst(error.message), error.hint);
      return undefined;
    }
  }

  /** A file or folder that the template names at this path, relative to the file in which the name is written. */
  async fileAt(path: Path, text: string): Promise<Confined | undefined> {
    const found = await confine(this.context.host.files, this.reading, this.loaded.root, this.#folderAt(path), text);
    if (!('refusal' in found)) return found;
    this.problem(path, found.refusal.message, found.refusal.hint);
    return undefined;
  }

  /** The same for a file that need not be there yet. */
  pathAt(path: Path, text: string): HostPath | undefined {
    const found = pathBelow(this.loaded.root, this.#folderAt(path), text);
    if ('path' in found) return found.path;
    this.problem(path, found.refusal.message, found.refusal.hint);
    return undefined;
  }

  #folderAt(path: Path): string {
    return dirname(placeAt(this.loaded.tree, path).source.file);
  }

  /** The content of a file that the template names, at most so large. */
  async contentAt(path: Path, text: string, limit: number): Promise<{ readonly path: HostPath; readonly bytes: Uint8Array } | undefined> {
    const file = await this.fileAt(path, text);
    if (file === undefined) return undefined;
    if (file.kind !== 'file') {
      this.problem(path, `${text} is a folder, not a file`);
      return undefined;
    }
    if (file.status.size > limit) {
      this.problem(path, `${text} is larger than ${limit / 2 ** 20} MiB`);
      return undefined;
    }
    const bytes = await this.reading.contents.get(file.path, () => this.context.host.files.read(file.path));
    this.contents.push({ path, name: text, bytes });
    return { path: file.path, bytes };
  }

  /** A text that is written in the template, or comes from a file or an address. */
  async textAt(path: Path, from: TextFrom): Promise<Uint8Array | undefined> {
    if (typeof from === 'string') return Buffer.from(from);
    if ('file' in from) return (await this.contentAt([...path, 'file'], from.file, MAX_TEXT))?.bytes;
    if (from.url.startsWith('http:') && from.sha256 === undefined) {
      this.problem([...path, 'url'], 'needs a sha256 beside it, since http protects nothing', 'Use https, or add the checksum.');
      return undefined;
    }
    return await this.reading.texts.get(`${from.url} ${from.sha256 ?? ''}`, () => fetchText(this.context, from, this.offline));
  }

  async secretAt(path: Path, secret: string): Promise<SecretUse | undefined> {
    const fingerprint = await this.attempt(path, async () => {
      const known = this.#fingerprints.get(secret) ?? this.secrets.fingerprint(secret);
      this.#fingerprints.set(secret, known);
      return await known;
    });
    return fingerprint === undefined ? undefined : { secret, fingerprint };
  }

  /** Names of the secrets that the template uses. */
  usedSecrets(): string[] {
    return [...this.#fingerprints.keys()];
  }

  /** Throws everything that was found, if anything was. */
  finish(): void {
    if (this.problems.length > 0) throw templateInvalid(this.loaded.file, this.problems, this.context.folder);
  }
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
