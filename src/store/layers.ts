import { join } from 'node:path';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hexOf, parseDigest, type Digest, type HostPath, type Key } from '../base/types.ts';
import { readQcow2Header, setBacking } from '../disk/qcow2.ts';
import { layerRecordSchema, type LayerRecord } from './model.ts';
import type { NewLayer, Progress } from './types.ts';
import { changeStore, writeOrFull } from './writing.ts';

/** {@link Store.findLayer} */
export async function findLayer(host: Pick<Host, 'files' | 'clock'>, home: Home, key: Key): Promise<LayerRecord | undefined> {
  const record = await readLayer(host, home, key);
  if (record !== undefined) await markUsed(host, home, key);
  return record;
}

/** How old the time of last use of a layer may become before a use renews it; seconds. */
const USE_GRAIN = 86_400;

/** The time of last use of a layer is the time of its record's file. A store that one may only read is not marked. */
async function markUsed(host: Pick<Host, 'files' | 'clock'>, home: Home, key: Key): Promise<void> {
  const path = home.layer(key);
  const status = await host.files.status(path);
  const now = host.clock.now();
  if (status === undefined || now.getTime() - status.modified.getTime() < USE_GRAIN * 1000) return;
  try {
    await host.files.setModified(path, now);
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

/** Like {@link findLayer}, but looking does not count as use. */
export async function readLayer(host: Pick<Host, 'files'>, home: Home, key: Key): Promise<LayerRecord | undefined> {
  const record = parseRecord(await readTextIfThere(host.files, home.layer(key)));
  if (record === undefined || record.key !== key || !(await isWhole(host, home, record))) return undefined;
  if (record.parent !== undefined && (await host.files.status(home.blob(record.parent))) === undefined) return undefined;
  return record;
}

/** Every readable record of the layer cache. */
export async function allRecords(host: Pick<Host, 'files'>, home: Home): Promise<LayerRecord[]> {
  const names = (await host.files.list(home.layers)).filter((name) => name.endsWith('.json'));
  const records = await Promise.all(names.map(async (name) => parseRecord(await readTextIfThere(host.files, join(home.layers, name)))));
  return records.filter((record) => record !== undefined);
}

/** A record from its file's text; undefined where it is none, which is the same as not cached. */
export function parseRecord(text: string | undefined): LayerRecord | undefined {
  if (text === undefined) return undefined;
  try {
    return layerRecordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether the blob is there with the right size: what can be known without reading it. */
export async function isWhole(host: Pick<Host, 'files'>, home: Home, blob: { readonly digest: Digest; readonly size: number }): Promise<boolean> {
  const status = await host.files.status(home.blob(blob.digest));
  return status?.kind === 'file' && status.size === blob.size;
}

/** {@link Store.commitLayer} */
export async function commitLayer(host: Host, home: Home, file: HostPath, layer: NewLayer, onProgress?: Progress): Promise<LayerRecord> {
  const status = await host.files.status(file);
  if (status?.kind !== 'file') throw new IngotError('internal', 'layer-invalid', `${file} is not a finished layer: no such file`);
  await writeOrFull(host, file, status.size, () => checkHeader(host, home, file, layer));
  await host.files.setMode(file, 0o444);
  const { hex, size } = await host.files.sha256(file, (done) => onProgress?.(done, status.size));
  const digest = parseDigest(`sha256:${hex}`);
  await writeOrFull(host, file, size, () => host.files.sync(file));

  const record: LayerRecord = { ...layer, v: 1, digest, size, created: host.clock.now().toISOString() };
  const text = JSON.stringify(record);
  const blob = home.blob(digest);
  await changeStore(host, home, `storing layer ${layer.name}`, async () => {
    if (layer.parent !== undefined && (await host.files.status(home.blob(layer.parent))) === undefined) throw layerGone(layer.parent);
    const isNew = (await host.files.status(blob)) === undefined;
    await host.files.rename(file, blob);
    try {
      await writeOrFull(host, blob, size, () => host.files.sync(home.blobs));
      await writeOrFull(host, home.layer(layer.key), text.length, () => replaceFile(host.files, home.layer(layer.key), text));
    } catch (error) {
      // Where only the last fsync failed, the record is there already, and it and the blob are whole.
      if (isNew && (await findLayer(host, home, layer.key))?.digest !== digest) await host.files.remove(blob);
      throw error;
    }
  });
  return record;
}

/** A layer that a build counted on was removed by another command. */
export function layerGone(digest: Digest): IngotError {
  return new IngotError('conflict', 'layer-gone', `The layer ${digest} is no longer in the store, or is damaged`, {
    hint: 'Another command removed it meanwhile, or its file was damaged: run the same build again.',
  });
}

/** The file must be what its maker says; a backing name that leads to the parent's blob by a path becomes the bare digest. */
async function checkHeader(host: Host, home: Home, file: HostPath, layer: NewLayer): Promise<void> {
  const header = await readQcow2Header(host.files, file);
  const wrong = (why: string): IngotError => new IngotError('internal', 'layer-invalid', `${file} is not the layer ${layer.name}: ${why}`);
  if (header.virtualSize !== layer.virtualSize) throw wrong(`its disk has ${header.virtualSize} bytes instead of ${layer.virtualSize}`);
  if (header.snapshots !== 0) throw wrong('it holds internal snapshots');
  if (layer.parent === undefined) {
    if (header.backing !== undefined) throw wrong(`it stands on ${header.backing.name}, and should stand on nothing`);
    return;
  }
  const parent = hexOf(layer.parent);
  if (header.backing?.name === parent && header.backing.format === 'qcow2') return;
  if (header.backing?.name !== parent && header.backing?.name !== home.blob(layer.parent))
    throw wrong(`it stands on ${header.backing?.name ?? 'nothing'}, and should stand on ${parent}`);
  await setBacking(host.files, file, { name: parent, format: 'qcow2' });
}
