import type { Stats } from 'node:fs';
import {
  chmod,
  constants,
  copyFile,
  link,
  symlink,
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  statfs,
  truncate,
  utimes,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from './errors.ts';

export interface FileStatus {
  readonly size: number;
  /** Bytes that the file takes on disk; less than `size` where it is sparse. */
  readonly allocated: number;
  readonly modified: Date;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly mode: number;
  readonly inode: number;
  /** Which file it is, its size and when it was last changed: while this is the same, so is the content. */
  readonly version: string;
}

/**
 * The file operations that ingot uses, each one effect. Paths are of the host, never inside an image. Failures are
 * Node's system errors.
 */
export interface Files {
  read(path: string): Promise<Uint8Array>;
  /** Writes and fsyncs a file; `exclusive` fails with EEXIST where it is there. Default mode 0644. */
  write(path: string, data: string | Uint8Array, options?: { mode?: number; exclusive?: boolean }): Promise<void>;
  append(path: string, data: string | Uint8Array): Promise<void>;
  /** A part of a file; shorter where the file ends before. */
  readPart(path: string, position: number, length: number): Promise<Uint8Array>;
  /** Overwrites a part of a file that is there, and fsyncs it. */
  writePart(path: string, position: number, data: Uint8Array): Promise<void>;
  /** SHA-256 of a file of any size, as hexadecimal digits, and how many bytes were read; `onProgress` gets the bytes read so far. */
  sha256(path: string, onProgress?: (done: number) => void): Promise<{ readonly hex: string; readonly size: number }>;
  setMode(path: string, mode: number): Promise<void>;
  /** Sets the time of the last change. */
  setModified(path: string, time: Date): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  /** Makes a symbolic link; `target` is its text. */
  symlink(target: string, path: string): Promise<void>;
  /** Copies, by reference where the filesystem can (reflink). */
  copy(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; silent where it is not there. Does not follow links. */
  remove(path: string): Promise<void>;
  /** Makes a folder and its parents; silent where it is there. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Names in a folder, sorted; empty where it is not there. */
  list(path: string): Promise<string[]>;
  /** Status without following links; undefined where nothing is there. */
  status(path: string): Promise<FileStatus | undefined>;
  /** What a link points to, as it is written. */
  readLink(path: string): Promise<string>;
  /** The path without any link in it; undefined where it leads nowhere. */
  resolveLinks(path: string): Promise<string | undefined>;
  truncate(path: string, size: number): Promise<void>;
  /** fsync of a file or a folder. */
  sync(path: string): Promise<void>;
  /** Free bytes for ordinary users on the filesystem that holds the path. */
  freeSpace(path: string): Promise<number>;
}

/** Large enough that reading costs little beside hashing. */
const HASH_PIECE = 4 * 2 ** 20;

/** The real {@link Files} of this machine. */
export const hostFiles: Files = {
  read: (path) => readFile(path),
  async write(path, data, options = {}) {
    await using file = await open(path, options.exclusive === true ? 'wx' : 'w', options.mode ?? 0o644);
    await file.writeFile(data);
    await file.sync();
  },
  async append(path, data) {
    await using file = await open(path, 'a', 0o644);
    await file.writeFile(data);
  },
  async readPart(path, position, length) {
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  },
  async writePart(path, position, data) {
    await using file = await open(path, 'r+');
    for (let written = 0; written < data.length;) {
      written += (await file.write(data, written, data.length - written, position + written)).bytesWritten;
    }
    await file.sync();
  },
  async sha256(path, onProgress) {
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256');
    await using file = await open(path, 'r');
    const buffer = Buffer.allocUnsafe(HASH_PIECE);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
      if (bytesRead === 0) return { hex: hash.digest('hex'), size };
      hash.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
      onProgress?.(size);
    }
  },
  setMode: (path, mode) => chmod(path, mode),
  setModified: (path, time) => utimes(path, time, time),
  rename: (from, to) => rename(from, to),
  link: (from, to) => link(from, to),
  symlink: (target, path) => symlink(target, path),
  copy: (from, to) => copyFile(from, to, constants.COPYFILE_FICLONE),
  remove: (path) => rm(path, { recursive: true, force: true }),
  makeDirectory: async (path, mode) => void (await mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) })),
  async list(path) {
    try {
      return (await readdir(path)).toSorted();
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    }
  },
  async status(path) {
    try {
      const stats = await lstat(path);
      const { dev, ino, size, blocks, mode, mtime, mtimeMs, ctimeMs } = stats;
      // Both times are kept to parts of a microsecond; that of the inode cannot be set back by anybody.
      const version = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
      return { size, allocated: blocks * 512, modified: mtime, kind: kindOf(stats), mode: mode & 0o7777, inode: ino, version };
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  },
  readLink: (path) => readlink(path),
  async resolveLinks(path) {
    try {
      return await realpath(path);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemErrorCode(error) ?? '')) return undefined;
      throw error;
    }
  },
  truncate: (path, size) => truncate(path, size),
  async sync(path) {
    await using file = await open(path, 'r');
    await file.sync();
  },
  async freeSpace(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

function kindOf(stats: Stats): FileStatus['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

/** The text of a file, or undefined where it is not there. */
export async function readTextIfThere(files: Files, path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await files.read(path)).toString('utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Replaces a file so that a reader, or a crash, sees the old or the new content and never a part: temporary file
 * in the same folder, fsync, rename, fsync of the folder.
 */
export async function replaceFile(files: Files, path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}-${(temporaryCounter += 1)}`;
  try {
    await files.write(temporary, data, { mode });
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw error;
  }
  await files.sync(dirname(path));
}

let temporaryCounter = 0;

/** The folders above a relative path, outermost first: `a/b/c` -> `a`, `a/b`. */
export function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
