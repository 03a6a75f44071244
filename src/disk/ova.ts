import { createHash } from 'node:crypto';
import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import { readTar, type TarEntry } from '../store/tar.ts';
import { OVF_LARGEST, ovaInvalid, parseOvf } from './ovf-file.ts';

/** Where the disk is in a package, in bytes. */
export interface PackedDisk {
  readonly position: number;
  readonly size: number;
}

const READ = 4 * 2 ** 20;
/** A line of a manifest; SHA-1 is what old ones have. */
const MANIFEST_LINE = /^(SHA1|SHA256|SHA512)\s*\((.+)\)\s*=\s*([0-9a-f]+)$/i;

/**
 * Reads a package (OVA): walks its archive, checks every sum of its manifest, and finds the disk that its descriptor names, where it lies. Nothing is
 * unpacked and nothing fetched. Throws `ova-invalid`, on whatever input.
 */
export async function readOva(files: Pick<Files, 'status' | 'readPart'>, path: string, signal?: AbortSignal): Promise<PackedDisk> {
  const entries = await entriesOf(files, path);
  const descriptor = [...entries.values()][0];
  if (descriptor === undefined || !/\.ovf$/i.test(descriptor.name)) throw ovaInvalid('it does not begin with a descriptor (.ovf)');
  if (descriptor.size > OVF_LARGEST) throw ovaInvalid('its descriptor is too large');
  const manifest = [...entries.values()].find(({ name }) => /\.mf$/i.test(name));
  if (manifest !== undefined) await checkManifest(files, path, entries, manifest, signal);
  const { file } = parseOvf(Buffer.from(await files.readPart(path, descriptor.position, descriptor.size)).toString('utf8'));
  const disk = entries.get(file);
  if (disk === undefined) throw ovaInvalid(`its disk ${JSON.stringify(file)} is not in it`);
  return { position: disk.position, size: disk.size };
}

async function entriesOf(files: Pick<Files, 'status' | 'readPart'>, path: string): Promise<ReadonlyMap<string, TarEntry>> {
  try {
    return await readTar(files, path);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'archive-invalid') throw error;
    throw ovaInvalid(error.message.replace(/^.*?: /, ''));
  }
}

async function checkManifest(
  files: Pick<Files, 'readPart'>,
  path: string,
  entries: ReadonlyMap<string, TarEntry>,
  manifest: TarEntry,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (manifest.size > OVF_LARGEST) throw ovaInvalid('its manifest is too large');
  const text = Buffer.from(await files.readPart(path, manifest.position, manifest.size)).toString('utf8');
  for (const line of text.split(/\r?\n/).filter((one) => one.trim() !== '')) {
    const [, algorithm, name = '', sum] = MANIFEST_LINE.exec(line.trim()) ?? [];
    if (algorithm === undefined || sum === undefined) throw ovaInvalid('a line of its manifest says nothing that is known');
    const entry = entries.get(name);
    if (entry === undefined) throw ovaInvalid(`its manifest names ${JSON.stringify(name)}, which is not in it`);
    const hash = createHash(algorithm.toLowerCase());
    for (let at = 0; at < entry.size; at += READ) {
      signal?.throwIfAborted();
      hash.update(await files.readPart(path, entry.position + at, Math.min(READ, entry.size - at)));
    }
    if (hash.digest('hex') !== sum.toLowerCase()) throw ovaInvalid(`${JSON.stringify(name)} does not have the sum that its manifest says`);
  }
}
