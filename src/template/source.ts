import { isAlias, isCollection, isMap, isScalar, LineCounter, parseDocument, type Document, type ParsedNode } from 'yaml';
import type { Problem } from '../base/errors.ts';
import type { HostPath } from '../base/types.ts';

/*
 * YAML as a tree of values that know where they were written, so that what is found wrong later, after files were joined and variables filled
 * in, still has the line and column of its own file.
 */

/** Bytes that a file of a template may have. */
export const MAX_FILE_SIZE = 2 ** 20;
/** Values that a file may hold after its aliases were replaced by what they stand for; what is more is a bomb. */
const MAX_NODES = 50_000;
const MAX_DEPTH = 50;
/** A file that is no YAML at all has one problem per line; the first few tell enough. */
const MAX_SYNTAX_PROBLEMS = 10;

/** A file as it was read. */
export interface Source {
  readonly file: HostPath;
  readonly text: string;
  readonly lines: LineCounter;
}

/** Where something was written. */
export interface Place {
  readonly source: Source;
  readonly offset: number;
}

export type Scalar = string | number | boolean | null;

export type Node = MapNode | ListNode | ValueNode;

export interface MapNode {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly key: Place;
  readonly value: Node;
}

export interface ListNode {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly Node[];
}

export interface ValueNode {
  readonly kind: 'value';
  readonly place: Place;
  readonly value: Scalar;
  /** It came from a variable with a type of its own; where text is expected, it is this. */
  readonly text?: string;
  /** A number as it was written: `0644`. */
  readonly written?: string;
}

/** A problem whose place is not yet a file name and line: that depends on who asks. */
export interface PlacedProblem extends Omit<Problem, 'position' | 'source'> {
  readonly place: Place;
  /** The line must not be shown. */
  readonly confidential?: boolean;
}

/** Reads YAML 1.2 with the core schema alone: no tags of its own, no merge keys, no key twice, no alias that grows without limit. */
export function parseSource(file: HostPath, text: string): { readonly source: Source; readonly root: Node | undefined; readonly problems: PlacedProblem[] } {
  const lines = new LineCounter();
  const source: Source = { file, text, lines };
  const at = (offset: number): Place => ({ source, offset });
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, schema: 'core', resolveKnownTags: false, uniqueKeys: false, merge: false });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { source, root: undefined, problems: [{ message: `is nested deeper than ${MAX_DEPTH} levels`, place: at(0) }] };
  }
  const faults = [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_PROBLEMS);
  const problems: PlacedProblem[] = faults.map((fault) => ({ message: syntaxMessage(fault.code, fault.message), place: at(fault.pos[0]) }));
  const { contents } = document;
  if (problems.length > 0 || contents === null) return { source, root: undefined, problems };
  const reader = new Reader(source);
  const root = reader.read(contents, 0);
  return { source, root: reader.problems.length > 0 ? undefined : root, problems: reader.problems };
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'holds more than one document; a template is one';
  if (code === 'TAG_RESOLVE_FAILED') return 'has a tag (!…), which templates do not know';
  return `is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

class Reader {
  readonly problems: PlacedProblem[] = [];
  readonly #source: Source;
  /** By name, as they are at this point of the file: a later anchor replaces one of the same name. */
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #open = new Set<ParsedNode>();
  #nodes = 0;
  #full = false;

  constructor(source: Source) {
    this.#source = source;
  }

  read(node: ParsedNode | null, depth: number): Node {
    const place: Place = { source: this.#source, offset: node?.range[0] ?? 0 };
    const nothing: ValueNode = { kind: 'value', place, value: null };
    if (node === null || this.#full) return nothing;
    if ((this.#nodes += 1) > MAX_NODES) return this.#stop(`holds more than ${MAX_NODES} values once its aliases are replaced`, place);
    if (depth > MAX_DEPTH) return this.#stop(`is nested deeper than ${MAX_DEPTH} levels`, place);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined || this.#open.has(target)) {
        this.problems.push({ message: target === undefined ? `names an anchor &${node.source} that is not there` : `*${node.source} holds itself`, place });
        return nothing;
      }
      return this.read(target, depth + 1);
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) {
      const value = this.#scalar(node.value, place);
      return { kind: 'value', place, value, ...(typeof value === 'number' && node.source !== undefined ? { written: node.source } : {}) };
    }
    if (!isCollection(node)) return nothing;
    this.#open.add(node);
    const read: Node = isMap(node)
      ? { kind: 'map', place, entries: this.#entries(node.items, place, depth) }
      : { kind: 'list', place, items: node.items.map((item) => this.#item(item, place, depth)) };
    this.#open.delete(node);
    return read;
  }

  #stop(message: string, place: Place): ValueNode {
    this.#full = true;
    this.problems.push({ message, place });
    return { kind: 'value', place, value: null };
  }

  #scalar(value: unknown, place: Place): Scalar {
    if (typeof value === 'string' && value.includes('\0')) {
      this.problems.push({ message: 'holds a NUL character, which no file or argument can', place });
      return null;
    }
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.problems.push({ message: 'is a number that templates do not know', place });
    return null;
  }

  #item(item: unknown, place: Place, depth: number): Node {
    // In a list in brackets `a: b` is a pair; it is read as the map that it looks like.
    if (isPair(item)) return { kind: 'map', place, entries: this.#entries([item], place, depth) };
    return this.read(isParsed(item) ? item : null, depth + 1);
  }

  #entries(items: readonly Pair[], map: Place, depth: number): Map<string, MapEntry> {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of items) {
      const place: Place = { source: this.#source, offset: isParsed(key) ? key.range[0] : map.offset };
      const name = isScalar(key) && key.value !== null ? (key.source ?? String(key.value)) : undefined;
      if (name === undefined || name === '__proto__') this.problems.push({ message: 'has a key that is not a name', place });
      else if (entries.has(name)) this.problems.push({ path: name, message: 'is there twice', place });
      else entries.set(name, { key: place, value: isParsed(value) ? this.read(value, depth + 1) : { kind: 'value', place, value: null } });
    }
    return entries;
  }
}

interface Pair {
  readonly key: unknown;
  readonly value: unknown;
}

function isPair(value: unknown): value is Pair {
  return typeof value === 'object' && value !== null && 'key' in value && 'value' in value && !isParsed(value);
}

function isParsed(value: unknown): value is ParsedNode {
  return isScalar(value) || isCollection(value) || isAlias(value);
}

/** The plain value of a tree. */
export function plainOf(node: Node): unknown {
  if (node.kind === 'value') return node.value;
  if (node.kind === 'list') return node.items.map(plainOf);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plainOf(value)]));
}

/** The part of a tree at a path; undefined where there is none. */
export function nodeAt(root: Node, path: readonly PropertyKey[]): Node | undefined {
  let node: Node | undefined = root;
  for (const part of path) {
    if (node === undefined || node.kind === 'value') return undefined;
    node = node.kind === 'map' ? node.entries.get(String(part))?.value : node.items[Number(part)];
  }
  return node;
}

/** Where the value at a path was written; of what is not there, the nearest around it that is. */
export function placeAt(root: Node, path: readonly PropertyKey[]): Place {
  let node: Node = root;
  for (const part of path) {
    const next: Node | undefined = node.kind === 'map' ? node.entries.get(String(part))?.value : node.kind === 'list' ? node.items[Number(part)] : undefined;
    if (next === undefined) break;
    node = next;
  }
  return node.place;
}

/** Where the key at a path was written, else its value, else what is around it. */
export function keyPlaceAt(root: Node, path: readonly PropertyKey[]): Place {
  const around = nodeAt(root, path.slice(0, -1));
  const last = path.at(-1);
  const entry = around?.kind === 'map' && last !== undefined ? around.entries.get(String(last)) : undefined;
  return entry?.key ?? placeAt(root, path);
}

/** A path as people read it: `steps[2].env.PORT`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('');
}
