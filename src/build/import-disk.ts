import { parseName, type Digest, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { openStore } from '../store/store.ts';
import { storedDisk } from './foreign-disk.ts';
import { checkLatest } from './import-tag.ts';

export interface ImportOptions {
  /** Default: the file's name. */
  readonly name?: string | undefined;
  readonly offline: boolean;
  /** Move the tag latest from another image that has it. */
  readonly force: boolean;
}

export interface ImportedDisk {
  readonly reference: string;
  readonly digest: Digest;
  readonly release: string;
  /** Bytes of the disk, and of its blobs. */
  readonly size: number;
  readonly stored: number;
}

/**
 * Takes a disk that something else has made into the store, with the tags latest and `file-` with the beginning of its SHA-256. Throws `tag-exists`, and
 * what {@link storedDisk} throws.
 */
export async function importDisk(context: Context, path: HostPath, { name: given, offline, force }: ImportOptions): Promise<ImportedDisk> {
  const store = openStore(context.host, context.home);
  const name = given === undefined ? undefined : parseName(given, 'an image');
  if (name !== undefined) await checkLatest(store, name, undefined, force);
  const reference = await storedDisk(context, { kind: 'file', path }, { offline, ...(name === undefined ? {} : { name }) });
  const image = await store.resolve(reference);
  const own = reference.slice(0, reference.lastIndexOf(':'));
  await checkLatest(store, own, image.digest, force);
  await store.tag(reference, `${own}:latest`);
  const { release, disk } = image.config['dev.ingot.image'];
  return { reference, digest: image.digest, release, size: disk.size, stored: image.layers.reduce((sum, layer) => sum + layer.size, 0) };
}
