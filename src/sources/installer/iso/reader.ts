import { IngotError } from '../../../base/errors.ts';
import type { Files } from '../../../base/files.ts';
import { formatSize, type HostPath } from '../../../base/types.ts';
import { parseDirectory, parseSystemUse, rockRidgeSkip, SECTOR, type IsoRecord, type Naming } from './records.ts';

/*
 * Reads files out of an ISO 9660 image without mounting it and without another program: it comes from anywhere, and all that is wanted of it are a
 * handful of files.
 */

/** A file or folder on a medium. */
export interface IsoEntry {
  readonly name: string;
  /** `other` is a symbolic link. */
  readonly kind: 'file' | 'folder' | 'other';
  /** Where its bytes are on the medium, in order. */
  readonly extents: readonly Extent[];
  readonly size: number;
}

interface Extent {
  readonly position: number;
  readonly size: number;
}

type IsoFiles = Pick<Files, 'readPart' | 'status' | 'append' | 'write' | 'sync'>;

/** What no installer comes near. */
const LIMITS = { descriptors: 64, directory: 8 * 2 ** 20, depth: 16, continuation: SECTOR, text: 256 * 2 ** 10 } as const;
const PIECE = 4 * 2 ** 20;
/** Where the volume descriptors begin (ECMA-119, 6.2.1). */
const DESCRIPTORS = 16;
/** Escape sequences that say UCS-2 (Joliet specification, 3.). */
const JOLIET = ['%/@', '%/C', '%/E'];

interface Tree {
  readonly naming: Naming;
  readonly root: Extent;
  readonly skip: number;
}

/** An ISO image that is open for reading; it holds nothing that has to be closed. */
export class IsoImage {
  readonly path: HostPath;
  /** The volume's name, as its maker gave it. */
  readonly label: string;
  readonly #files: IsoFiles;
  readonly #size: number;
  readonly #tree: Tree;
  readonly #folders = new Map<number, Promise<readonly IsoEntry[]>>();

  private constructor(files: IsoFiles, path: HostPath, size: number, label: string, tree: Tree) {
    this.#files = files;
    this.path = path;
    this.#size = size;
    this.label = label;
    this.#tree = tree;
  }

  /** Throws `iso-invalid` where the file is no ISO 9660 image, and `file-missing`. */
  static async open(files: IsoFiles, path: HostPath): Promise<IsoImage> {
    const status = await files.status(path);
    if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no ${path}`);
    const { label, primary, joliet } = await readDescriptors(files, path);
    const self = Buffer.from(await files.readPart(path, primary.position, SECTOR));
    const skip = self.length === SECTOR ? rockRidgeSkip(self.subarray(0, self.readUInt8(0))) : undefined;
    const tree: Tree =
      skip !== undefined
        ? { naming: 'rock-ridge', root: primary, skip }
        : joliet === undefined
          ? { naming: 'plain', root: primary, skip: 0 }
          : { naming: 'joliet', root: joliet, skip: 0 };
    return new IsoImage(files, path, status.size, label, tree);
  }

  /** What is at a path, whatever the case of its letters: names without Rock Ridge have capitals alone. Throws `iso-invalid`. */
  async find(path: string): Promise<IsoEntry | undefined> {
    const parts = path.split('/').filter((part) => part !== '');
    if (parts.length > LIMITS.depth) return undefined;
    let here: IsoEntry = { name: '', kind: 'folder', extents: [this.#tree.root], size: this.#tree.root.size };
    for (const part of parts) {
      if (here.kind !== 'folder') return undefined;
      const names = await this.#folder(here);
      const found = names.find(({ name }) => name === part) ?? names.find(({ name }) => name.toLowerCase() === part.toLowerCase());
      if (found === undefined) return undefined;
      here = found;
    }
    return here;
  }

  /** What is in a folder; empty where there is none. Throws `iso-invalid`. */
  async list(path: string): Promise<readonly IsoEntry[]> {
    const folder = await this.find(path);
    return folder?.kind === 'folder' ? await this.#folder(folder) : [];
  }

  /** A small text file, cut off at 256 KiB; undefined where there is none. Throws `iso-invalid`. */
  async text(path: string): Promise<string | undefined> {
    const entry = await this.find(path);
    if (entry?.kind !== 'file') return undefined;
    let left: number = LIMITS.text;
    const parts: Uint8Array[] = [];
    for (const { position, size } of entry.extents) {
      parts.push(await this.#read(position, Math.min(size, left), entry.name));
      left -= Math.min(size, left);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  /** Copies a file into a new one of the host. Throws `iso-invalid`, and `iso-file-too-large` where it has more than `limit` bytes. */
  async extract(entry: IsoEntry, target: HostPath, limit: number): Promise<void> {
    if (entry.size > limit) {
      throw new IngotError(
        'verification',
        'iso-file-too-large',
        `${entry.name} in ${this.path} has ${formatSize(entry.size)}; no more than ${formatSize(limit)} is read`,
      );
    }
    await this.#files.write(target, '', { mode: 0o600, exclusive: true });
    for (const { position, size } of entry.extents) {
      for (let done = 0; done < size; done += PIECE) {
        await this.#files.append(target, await this.#read(position + done, Math.min(PIECE, size - done), entry.name));
      }
    }
    // Only this tells that the disk became full.
    await this.#files.sync(target);
  }

  #folder(folder: IsoEntry): Promise<readonly IsoEntry[]> {
    const at = folder.extents[0]?.position ?? 0;
    const known = this.#folders.get(at) ?? this.#readFolder(folder, at);
    this.#folders.set(at, known);
    return known;
  }

  async #readFolder(folder: IsoEntry, at: number): Promise<readonly IsoEntry[]> {
    const { naming, skip } = this.#tree;
    // A folder that was moved says its size in its own record alone.
    const self = await this.#read(at, SECTOR, folder.name);
    const size = self.readUInt32LE(10);
    if (size > LIMITS.directory) throw invalid(this.path, `a folder in it says that it has ${formatSize(size)}`);
    const records = parseDirectory(await this.#read(at, size, folder.name), naming, skip);
    const entries: IsoEntry[] = [];
    let before: IsoRecord | undefined;
    for (const record of records) {
      const whole = await this.#whole(record);
      if (before?.goesOn === true && before.name === whole.name) {
        const last = entries.pop();
        entries.push({ ...whole, extents: [...(last?.extents ?? []), ...whole.extents], size: (last?.size ?? 0) + whole.size });
      } else entries.push(whole);
      before = { ...record, name: whole.name };
    }
    return entries;
  }

  async #whole(record: IsoRecord): Promise<IsoEntry> {
    const { continuation, named, goesOn: _goesOn, ...entry } = record;
    if (continuation === undefined || continuation.length > LIMITS.continuation) return entry;
    const more = parseSystemUse(await this.#read(continuation.position, continuation.length, entry.name));
    const name = more.name === undefined ? entry.name : named ? `${entry.name}${more.name}` : more.name;
    return { ...entry, name, ...(more.link === true ? { kind: 'other' as const } : {}) };
  }

  async #read(position: number, length: number, name: string): Promise<Buffer> {
    if (position + length > this.#size) throw invalid(this.path, `it is cut off: ${name === '' ? 'its table of contents' : name} lies behind its end`);
    return Buffer.from(await this.#files.readPart(this.path, position, length));
  }
}

interface Descriptors {
  readonly label: string;
  readonly primary: Extent;
  readonly joliet: Extent | undefined;
}

async function readDescriptors(files: IsoFiles, path: HostPath): Promise<Descriptors> {
  let primary: Buffer | undefined;
  let joliet: Buffer | undefined;
  for (let i = 0; i < LIMITS.descriptors; i++) {
    const sector = Buffer.from(await files.readPart(path, (DESCRIPTORS + i) * SECTOR, SECTOR));
    if (sector.length < SECTOR || sector.toString('latin1', 1, 6) !== 'CD001') break;
    const type = sector.readUInt8(0);
    if (type === 255) break;
    if (type === 1) primary ??= sector;
    if (type === 2 && JOLIET.includes(sector.toString('latin1', 88, 91))) joliet ??= sector;
  }
  if (primary === undefined) throw invalid(path, 'it has no volume descriptor of ISO 9660');
  if (primary.readUInt16LE(128) !== SECTOR) throw invalid(path, 'its blocks have another size than 2048 bytes');
  return { label: primary.toString('latin1', 40, 72).trim(), primary: rootOf(primary), joliet: joliet === undefined ? undefined : rootOf(joliet) };
}

/** Where a volume descriptor says that its root is. */
function rootOf(descriptor: Buffer): Extent {
  return { position: descriptor.readUInt32LE(156 + 2) * SECTOR, size: descriptor.readUInt32LE(156 + 10) };
}

function invalid(path: HostPath, why: string): IngotError {
  return new IngotError('verification', 'iso-invalid', `${path} cannot be read as an ISO image: ${why}`, {
    hint: 'Download it again, and compare its checksum with that of its maker.',
  });
}
