import { IngotError } from '../../base/errors.ts';
import type { HashAlgorithm } from '../../base/transfer/running-hash.ts';

/** What a checksum file is asked for. */
export interface Wanted {
  readonly algorithm: HashAlgorithm;
  readonly style: 'gnu' | 'bsd' | 'single' | 'per-file' | 'digests' | 'json';
  /** The file's name; with `pattern`, * stands for what changes from build to build, and the newest counts. */
  readonly name: string;
  readonly pattern: boolean;
  /** Where the hash is in JSON (RFC 6901). */
  readonly pointer?: string | undefined;
  /** What the checksum file is called in messages. */
  readonly file: string;
}

export interface Found {
  /** Lower-case hexadecimal digits. */
  readonly hex: string;
  /** The name that stands beside it, without folders; the name that was asked for where none does. */
  readonly name: string;
}

interface Line {
  readonly algorithm: string;
  readonly hex: string;
  /** As it is written, without `./`; undefined where the line is a hash alone. */
  readonly name: string | undefined;
}

const LENGTHS: Readonly<Record<number, string>> = { 32: 'md5', 40: 'sha1', 56: 'sha224', 64: 'sha256', 96: 'sha384', 128: 'sha512' };
const WEAK = ['md5', 'sha1'];

/**
 * The hash of a file by a checksum file: GNU's lines in text and binary mode, BSD's, a hash alone, Gentoo's below headings, or JSON. Comments, empty lines, what
 * OpenPGP writes around a signed text, and lines about other files do not matter. Throws `checksum-missing`, `checksum-ambiguous`, `checksum-weak`.
 */
export function findChecksum(text: string, wanted: Wanted): Found {
  if (wanted.style === 'json') return { hex: jsonHash(text, wanted), name: wanted.name };
  const lines = readLines(text, wanted.style === 'digests');
  const matching = wanted.style === 'single' || wanted.style === 'per-file' ? lines : linesOf(lines, wanted);
  const strong = matching.filter(({ algorithm }) => algorithm === wanted.algorithm);
  if (strong.length === 0) throw missing(text, matching, wanted);
  const [first, other] = [...new Map(strong.map((line) => [line.hex, line])).values()];
  if (first === undefined) throw missing(text, matching, wanted);
  if (other !== undefined) {
    throw new IngotError('verification', 'checksum-ambiguous', `${wanted.file} has two different checksums of ${first.name ?? wanted.name}`, {
      detail: `${first.hex}\n${other.hex}`,
      hint: 'Its publisher made a mistake, or somebody else wrote into it; use an older image, or one of another mirror.',
    });
  }
  return { hex: first.hex, name: wanted.pattern ? baseName(first.name ?? wanted.name) : wanted.name };
}

function readLines(text: string, headings: boolean): Line[] {
  const found: Line[] = [];
  let heading: string | undefined;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    const line = raw.trim();
    const title = /^#\s*([A-Z0-9-]+)\s+HASH\s*$/i.exec(line)?.[1];
    if (headings && title !== undefined) heading = algorithmName(title);
    const read = readLine(line);
    if (read !== undefined) found.push(headings ? { ...read, algorithm: heading ?? read.algorithm } : read);
  }
  return found;
}

function readLine(line: string): Line | undefined {
  const bsd = /^([a-z0-9-]+)\s*\((.+)\)\s*=\s*([0-9a-f]{32,128})$/i.exec(line);
  if (bsd !== null) return { algorithm: algorithmName(bsd[1] ?? ''), hex: (bsd[3] ?? '').toLowerCase(), name: plainName(bsd[2] ?? '') };
  const gnu = /^(\\?)([0-9a-f]{32,128})(?:\s+\*?(\S.*))?$/i.exec(line);
  const hex = (gnu?.[2] ?? '').toLowerCase();
  const algorithm = LENGTHS[hex.length];
  if (gnu === null || algorithm === undefined) return undefined;
  const name = gnu[3];
  // A backslash before the hash says that the name is escaped.
  return { algorithm, hex, name: name === undefined ? undefined : plainName(gnu[1] === '' ? name : name.replaceAll('\\n', '\n').replaceAll('\\\\', '\\')) };
}

function algorithmName(text: string): string {
  return text
    .toLowerCase()
    .replace(/^sha-?2-/, 'sha')
    .replace(/^sha-/, 'sha');
}

function plainName(name: string): string {
  return name.replace(/^(\.\/)+/, '');
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** The lines about a file: by its whole name, else by its name in any folder; of a pattern, those of the newest. */
function linesOf(lines: readonly Line[], { name, pattern }: Wanted): Line[] {
  if (!pattern) {
    const exact = lines.filter((line) => line.name === name);
    return exact.length > 0 ? exact : lines.filter((line) => line.name !== undefined && baseName(line.name) === name);
  }
  const form = new RegExp(
    `^${name
      .split('*')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('.*')}$`,
  );
  const names = [...new Set(lines.flatMap((line) => (line.name !== undefined && form.test(baseName(line.name)) ? [baseName(line.name)] : [])))];
  const newest = names.sort(compareBuilds).at(-1);
  return lines.filter((line) => line.name !== undefined && baseName(line.name) === newest);
}

/** Orders names by the numbers in them, as versions and dates are. */
function compareBuilds(a: string, b: string): number {
  const [partsA, partsB] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (let i = 0; ; i++) {
    const [x, y] = [partsA?.[i], partsB?.[i]];
    if (x === undefined || y === undefined) return (partsA?.length ?? 0) - (partsB?.length ?? 0);
    if (x === y) continue;
    const numbers = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : 0;
    return numbers === 0 ? (x < y ? -1 : 1) : numbers;
  }
}

function jsonHash(text: string, wanted: Wanted): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw missing(text, [], wanted);
  }
  for (const raw of (wanted.pointer ?? '').split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    const found = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
    value = found.get(key);
  }
  const hex = typeof value === 'string' ? value.toLowerCase().replace(/^sha\d+:/, '') : '';
  if (!/^[0-9a-f]+$/.test(hex) || LENGTHS[hex.length] !== wanted.algorithm) throw missing(text, [], wanted);
  return hex;
}

function missing(text: string, matching: readonly Line[], { file, name, algorithm }: Wanted): IngotError {
  const weak = matching.find((line) => WEAK.includes(line.algorithm));
  if (weak !== undefined) {
    return new IngotError('verification', 'checksum-weak', `${file} has only a ${weak.algorithm} checksum of ${name}, which proves nothing`, {
      hint: `Give the image's own digest, as ${algorithm}:…`,
    });
  }
  const first = text.trim().split('\n', 1)[0]?.slice(0, 200) ?? '';
  return new IngotError('verification', 'checksum-missing', `${file} has no ${algorithm} checksum of ${name}`, {
    ...(first === '' ? {} : { detail: `It begins: ${first}` }),
    hint: 'The image may have been renamed or withdrawn, or the server answers with a page of its own.',
  });
}
