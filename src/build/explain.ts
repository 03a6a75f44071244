import type { Key } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { LayerPlan } from '../plan/layers.ts';
import type { Plan } from '../plan/plan.ts';
import { allRecords } from '../store/layers.ts';
import type { InstalledPackage, LayerRecord } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { cachedLayers } from './cached.ts';

export interface LayerExplanation {
  readonly name: string;
  readonly key: Key;
  readonly cached: boolean;
  readonly reason: string;
  /** Names of the inputs that differ from the newest layer of the same kind. */
  readonly differs: string[];
  /** Each as a line: `nginx 1.22.1-9 -> 1.22.1-9+deb12u1`. */
  readonly packages?: { readonly added: string[]; readonly removed: string[]; readonly changed: string[] };
}

/** Why each layer of a plan is cached or not. Whatever stands on a layer that has to be made has to be made as well. */
export async function explainPlan(context: Pick<Context, 'host' | 'home'>, plan: Plan, offline: boolean): Promise<LayerExplanation[]> {
  const records = await allRecords(context.host, context.home);
  const cached = await cachedLayers(context, openStore(context.host, context.home), [plan], offline);
  return plan.layers.map((layer, i) => {
    const { name, key } = layer;
    if (cached.has(key)) return { name, key, cached: true, reason: 'all that it depends on is unchanged', differs: [] };
    const below = plan.layers[i - 1];
    return { name, key, cached: false, ...whyNot(layer, records, below === undefined || cached.has(below.key)) };
  });
}

/** What differs from the newest layer of its kind that was made for the same release and architecture. */
function whyNot(layer: LayerPlan, all: readonly LayerRecord[], belowIsCached: boolean): Pick<LayerExplanation, 'reason' | 'differs' | 'packages'> {
  const records = likeLayers(all, layer);
  const [previous] = records;
  if (records.some((record) => record.key === layer.key)) {
    if (!belowIsCached) return { reason: 'the layer below has to be made first, and can have other bytes then', differs: [] };
    if (layer.maxAge !== undefined) return { reason: 'it uses the network, and is older than its max-age or was made on another layer', differs: [] };
    return { reason: 'it was made before, but its blob is gone or damaged', differs: [] };
  }
  if (previous === undefined)
    return { reason: `no layer ${layer.name} of ${layer.inputs['release']} (${layer.inputs['arch']}) has been made yet`, differs: [] };
  const names = new Set([...Object.keys(layer.inputs), ...Object.keys(previous.inputs)]);
  const differs = [...names].filter((input) => layer.inputs[input] !== previous.inputs[input]).toSorted();
  const made = previous.created.slice(0, 16).replace('T', ' ');
  const reason =
    differs.length === 0
      ? 'the form of keys has changed since it was last made'
      : differs.length === 1 && differs[0] === 'below'
        ? `the layer below is another one than under the layer made ${made}`
        : `${differs.join(', ')} differ${differs.length === 1 ? 's' : ''} from the layer made ${made}`;
  return {
    reason,
    differs,
    ...(differs.includes('packages') ? { packages: packageLines(previous.packages, layer.packages) } : {}),
  };
}

/** Records of layers with the same name, kind, release and architecture, the newest first. */
function likeLayers(all: readonly LayerRecord[], layer: LayerPlan): LayerRecord[] {
  return all
    .filter(
      ({ name, kind = 'bootstrap', inputs }) =>
        name === layer.name && kind === layer.kind && inputs['release'] === layer.inputs['release'] && inputs['arch'] === layer.inputs['arch'],
    )
    .toSorted((a, b) => (a.created < b.created ? 1 : -1));
}

/** What changed from one package list to another, each as a line. */
function packageLines(before: readonly InstalledPackage[], after: readonly InstalledPackage[]): NonNullable<LayerExplanation['packages']> {
  const old = new Map(before.map((item) => [item.name, item.version]));
  const now = new Map(after.map((item) => [item.name, item.version]));
  return {
    added: [...now].filter(([name]) => !old.has(name)).map(([name, version]) => `${name} ${version}`),
    removed: [...old].filter(([name]) => !now.has(name)).map(([name, version]) => `${name} ${version}`),
    changed: [...now].flatMap(([name, version]) => {
      const was = old.get(name);
      return was === undefined || was === version ? [] : [`${name} ${was} -> ${version}`];
    }),
  };
}
