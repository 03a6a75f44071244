import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Files } from '../../src/base/files.ts';
import { homeAt, openHome, type Home } from '../../src/base/home.ts';
import { realHost, type Host } from '../../src/base/host.ts';
import { hexOf, hostPath, keyFromHex, parseName, type Digest, type HostPath } from '../../src/base/types.ts';
import { emptyQcow2 } from '../../src/disk/qcow2.ts';
import { pointReferences, type IndexEntry } from '../../src/store/index-file.ts';
import { imageParts } from '../../src/store/manifest.ts';
import type { GateStatement, Image, ImageConfig, LayerRecord } from '../../src/store/model.ts';
import { openStore, type NewLayer, type Store } from '../../src/store/store.ts';
import { changeStore, digestOf, saveIndex } from '../../src/store/writing.ts';

/** Bytes of the disks in sample layers: small enough for clusters of 512 bytes. */
export const SAMPLE_DISK = 2 ** 20;

export interface SampleHome extends AsyncDisposable {
  readonly host: Host;
  readonly home: Home;
  readonly store: Store;
}

/** This machine without fsync: what tests write survives no power cut, and hundreds of homes take seconds. */
export function quickHost(): Host {
  const host = realHost();
  const files: Files = {
    ...host.files,
    write: (path, data, options = {}) => writeFile(path, data, { flag: options.exclusive === true ? 'wx' : 'w', mode: options.mode ?? 0o644 }),
    sync: async (path) => {
      if ((await host.files.status(path)) === undefined) await host.files.sync(path);
    },
  };
  return { ...host, files };
}

const made: string[] = [];

async function makeRoot(): Promise<HostPath> {
  const root = hostPath(await mkdtemp(join(tmpdir(), 'ingot-test-')));
  made.push(root);
  return root;
}

/** Removes every home that this process made: those of tests that stop their code in the middle are disposed of by nobody. */
export async function removeSampleHomes(): Promise<void> {
  for (const root of made) await rm(root, { recursive: true, force: true });
}

/** A home of its own in the folder for temporary files; removed when disposed. */
export async function sampleHome(): Promise<SampleHome> {
  const host = quickHost();
  const root = await makeRoot();
  const home = await openHome(host, root);
  return { host, home, store: openStore(host, home), [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** A copy of a home, as it is now, in a folder of its own. */
export async function copyHome(from: SampleHome): Promise<SampleHome> {
  const root = await makeRoot();
  await cp(from.home.root, root, { recursive: true });
  const home = homeAt(root);
  return { host: from.host, home, store: openStore(from.host, home), [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/** The same home seen by another process: no state is shared but the disk. */
export function reopen(host: Host, root: HostPath): Store {
  return openStore(host, homeAt(root));
}

/** What the maker of a sample layer would say of it. */
export function sampleLayer(name: string, parent?: Digest): NewLayer {
  return {
    key: keyFromHex(hexOf(digestOf(`key of ${name} on ${parent ?? 'nothing'}`))),
    name,
    ...(parent === undefined ? {} : { parent }),
    virtualSize: SAMPLE_DISK,
    seconds: 1.5,
    packages: [{ name: `package-of-${name}`, version: '1.0-1', arch: 'amd64' }],
    inputs: { name },
  };
}

/** A finished layer file in `run/`, ready for `commitLayer`; `content` makes its bytes differ. */
export async function sampleLayerFile(home: Home, parent?: Digest, content = randomBytes(64).toString('hex')): Promise<HostPath> {
  const { files } = quickHost();
  const folder = join(home.run, randomBytes(6).toString('hex'));
  await files.makeDirectory(folder);
  const file = hostPath(join(folder, 'layer.qcow2'));
  await files.write(file, sampleQcow2(content, parent));
  return file;
}

function sampleQcow2(content: string, parent?: Digest): Uint8Array {
  const empty = emptyQcow2({
    virtualSize: SAMPLE_DISK,
    clusterBits: 9,
    ...(parent === undefined ? {} : { backing: { name: hexOf(parent), format: 'qcow2' } }),
  });
  return Buffer.concat([empty, Buffer.from(content)]);
}

/** Makes and commits a chain of layers, bottom first, on top of `below`. */
export async function commitSampleLayers(store: Store, home: Home, names: readonly string[], below: readonly LayerRecord[] = []): Promise<LayerRecord[]> {
  const layers = [...below];
  for (const name of names) {
    const parent = layers.at(-1)?.digest;
    layers.push(await store.commitLayer(await sampleLayerFile(home, parent), sampleLayer(name, parent)));
  }
  return layers;
}

/** A config that fits the layers. */
export function sampleConfig(layers: readonly LayerRecord[], template = 'debian-12'): ImageConfig {
  return {
    architecture: 'amd64',
    os: 'linux',
    'os.version': '12',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
    config: { Labels: { purpose: 'sample' } },
    'dev.ingot.image': {
      v: 1,
      template,
      release: 'debian-12',
      family: 'debian',
      kernel: 'cloud',
      disk: { size: SAMPLE_DISK, filesystem: 'ext4' },
      defaultUser: 'debian',
      repositories: [],
      expiredMetadata: false,
      layers: layers.map(({ name, key, packages }) => ({ name, key, packages: [...packages] })),
    },
  };
}

/** An image of layers with these names, stored under `name` and the tags. */
export async function putSampleImage(
  store: Store,
  home: Home,
  name: string,
  tags: readonly string[],
  layerNames: readonly string[] = [`base of ${name}`, name],
  below: readonly LayerRecord[] = [],
): Promise<Image> {
  const layers = await commitSampleLayers(store, home, layerNames, below);
  return await store.putImage(sampleConfig(layers, name), layers, parseName(name, 'an image'), tags);
}

/** The layer records of an image, bottom first: what another image can stand on. */
export async function recordsOf(store: Store, image: Image): Promise<LayerRecord[]> {
  const records = await Promise.all(image.config['dev.ingot.image'].layers.map(({ key }) => store.findLayer(key)));
  return records.filter((record) => record !== undefined);
}

export function sampleGate(result: GateStatement['result'], finished = '2026-01-01T12:00:00.000Z'): GateStatement {
  return {
    v: 1,
    result,
    level: 'quick',
    suite: 'suite-1',
    qemu: '10.0',
    firmware: ['bios'],
    accelerator: 'tcg',
    checks: [{ name: 'cloud-init', result, seconds: 80 }],
    finished,
  };
}

/**
 * Fills a store with many images, fast: they share one base layer, each has one of its own, and the index is written once. `image list`
 * and its like are measured with it. Every blob is real, so that the store verifies.
 */
export async function fillStore(host: Host, home: Home, count: number): Promise<void> {
  const store = openStore(host, home);
  const base = await commitSampleLayers(store, home, ['base']);
  await changeStore(host, home, 'filling the store with samples', async () => {
    const entries = await Promise.all(Array.from({ length: count }, (_, i) => writeSample(host, home, base, i)));
    await saveIndex(host, home, entries.flat());
  });
}

// Plain writes without fsync: thousands of them would take a minute, and samples need to survive no crash.
async function writeSample(host: Host, home: Home, base: readonly LayerRecord[], i: number): Promise<IndexEntry[]> {
  const layer = sampleLayer(`layer ${i}`, base.at(-1)?.digest);
  const bytes = sampleQcow2(`image ${i}`, layer.parent);
  const record: LayerRecord = { ...layer, v: 1, digest: digestOf(bytes), size: bytes.length, created: host.clock.now().toISOString() };
  const layers = [...base, record];
  const name = parseName(`sample-${String(i).padStart(4, '0')}`, 'an image');
  const parts = imageParts(sampleConfig(layers, name), layers, name, new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString());
  for (const blob of [bytes, parts.config, parts.manifest]) await writeFile(home.blob(digestOf(blob)), blob, { mode: 0o444 });
  await writeFile(home.layer(record.key), JSON.stringify(record));
  return pointReferences([], parts.entry, [`${name}:latest`]);
}
