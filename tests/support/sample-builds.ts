import { Events, type Event } from '../../src/base/events.ts';
import { keyOf } from '../../src/base/hash.ts';
import { hostPath, parseName, type Key } from '../../src/base/types.ts';
import type { BuildOptions, BuildParts, ImageBuild } from '../../src/build/build.ts';
import { shippedCatalog, findRelease } from '../../src/catalog/catalog.ts';
import type { Context } from '../../src/operations/operation.ts';
import type { LayerPlan } from '../../src/plan/layers.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { openSecrets } from '../../src/base/secrets.ts';
import { openStore } from '../../src/store/store.ts';
import { SAMPLE_DISK, sampleGate, sampleLayerFile, type SampleHome } from './sample-images.ts';

/** A context for operations in a sample home; every event goes to `sink`. */
export function sampleContext(at: SampleHome, sink: (event: Event) => void = () => undefined, signal = new AbortController().signal): Context {
  return {
    host: at.host,
    home: at.home,
    settings: builtInSettings(at.home),
    events: new Events('test', sink, at.host),
    signal,
    verbose: false,
    consent: () => Promise.resolve(true),
    askHidden: () => Promise.reject(new Error('nobody is asked')),
    standardInput: () => Promise.resolve(undefined),
    attach: () => Promise.resolve(0),
    write: () => undefined,
  };
}

/** A plan whose layers are these names, bottom first: plans that begin with the same names share those layers. */
export async function samplePlan(name: string, layers: readonly string[]): Promise<Plan> {
  const release = findRelease(await shippedCatalog(), 'debian-12');
  let below: Key | undefined;
  const planned = layers.map((layer, i): LayerPlan => {
    below = keyOf([layer, below ?? '']);
    return {
      name: layer,
      kind: i === 0 ? 'bootstrap' : 'copy',
      key: below,
      inputs: { name: layer },
      packages: [],
      removed: [],
      virtualSize: SAMPLE_DISK,
      recipe: {
        kind: 'copy',
        tree: { root: hostPath('/nowhere'), single: false, entries: [] },
        to: '/',
        owner: 'root:root',
        seal: { remove: [], emptyFolders: [], truncate: [] },
      },
    };
  });
  return {
    template: {
      name: parseName(name, 'an image'),
      labels: {},
      base: { kind: 'release', release: 'debian-12' },
      arch: 'amd64',
      kernel: 'cloud',
      disk: { size: SAMPLE_DISK, filesystem: 'ext4' },
      roles: [],
      update: 'none',
      packages: [],
      snaps: [],
      users: [],
      system: { 'kernel-arguments': [], sysctl: {}, ntp: [], trustedCa: [], repositories: [] },
      steps: [],
      tests: [],
      outputs: [],
    },
    release,
    base: undefined,
    layers: planned,
    kernelArguments: [],
    expiredMetadata: false,
  };
}

export interface FakeWork {
  readonly parts: BuildParts;
  /** Names of the layers that were made, in the order in which they were done. */
  readonly made: string[];
  /** How many were made at the same time at most. */
  readonly most: () => number;
}

/** Layers that are made of nothing, by the real store: `work` is what each takes, and may throw. */
export function fakeWork(at: SampleHome, work: (layer: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve()): FakeWork {
  const made: string[] = [];
  let running = 0;
  let most = 0;
  const ensureLayer: BuildParts['ensureLayer'] = async (context, store, layer, below) => {
    const span = context.events.span('layer', layer.name);
    running += 1;
    most = Math.max(most, running);
    try {
      await work(layer.name, context.signal);
      const parent = below.at(-1)?.digest;
      const { name, key, kind, virtualSize } = layer;
      const file = await sampleLayerFile(at.home, parent);
      const record = await store.commitLayer(file, {
        key,
        name,
        kind,
        virtualSize,
        ...(parent === undefined ? {} : { parent }),
        seconds: 1,
        packages: [],
        inputs: { name },
      });
      made.push(name);
      return { record, cached: false, seconds: span.end('done') };
    } catch (error) {
      span.end('failed');
      throw error;
    } finally {
      running -= 1;
    }
  };
  return { parts: { ensureLayer, choosePlace: () => Promise.resolve('host') }, made, most: () => most };
}

/** An image to be built of sample layers, with a gate that says what it is told to. */
export async function sampleBuild(name: string, layers: readonly string[], gate: 'passed' | 'failed' = 'passed'): Promise<ImageBuild> {
  return {
    plan: await samplePlan(name, layers),
    archives: {},
    tag: undefined,
    gate: {
      needs: { cpus: 0, memory: 0, disk: 0 },
      kind: 'gate sample',
      known: (_, image) => Promise.resolve(image.gate?.result === 'passed' ? image.gate : undefined),
      async run(context, image) {
        const statement = sampleGate(gate);
        await openStore(context.host, context.home).addGate(image, statement);
        return statement;
      },
    },
    shellCommand: `ingot build ${name} --debug-shell`,
  };
}

export function sampleOptions(context: Context, more: Partial<BuildOptions> = {}): BuildOptions {
  return {
    offline: false,
    debugShell: false,
    secrets: openSecrets(context),
    beforeWork: () => Promise.resolve(),
    times: { seconds: () => undefined, learn: () => undefined },
    jobs: 2,
    ...more,
  };
}
