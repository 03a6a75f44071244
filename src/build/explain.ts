import type { Key } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { LayerPlan } from '../plan/layers.ts';
import type { Plan } from '../plan/plan.ts';
import { allRecords } from '../store/layers.ts';
import type { InstalledPackage, LayerRecord } from '../store/model.ts';
import { openStore } from '../store/store.ts';

export interface LayerExplanation {
  readonly name: string;
  readonly key: Key;
  readonly cached: boolean;
  readonly reason: string;
  /** Names of the inputs that differ from the newest layer of the same kind. */
  readonly differs: string[];
  readonly packages?: PackageChanges;
}

export interface PackageChanges {
  readonly added: string[];
  readonly removed: string[];
  readonly changed: string[];
}

/** Why each layer of a plan is cached or not. Whatever stands on a layer that has to be made has to be made as well. */
export async function explainPlan(context: Pick<Context, 'host' | 'home'>, plan: Plan): Promise<LayerExplanation[]> {
  const records = await allRecords(context.host, context.home);
  const explanations: LayerExplanation[] = [];
  for (const layer of plan.layers) explanations.push(await explainLayer(context, layer, records));
  return explanations;
}

/** Why a layer is cached or not: what differs from the newest one that was made for the same release and architecture. */
async function explainLayer(context: Pick<Context, 'host' | 'home'>, layer: LayerPlan, all: readonly LayerRecord[]): Promise<LayerExplanation> {
  const { name, key } = layer;
  if ((await openStore(context.host, context.home).findLayer(key)) !== undefined) {
    return { name, key, cached: true, reason: 'all that it depends on is unchanged', differs: [] };
  }
  const records = likeLayers(all, layer);
  const same = records.find((record) => record.key === key);
  if (same !== undefined) return { name, key, cached: false, reason: 'it was made before, but its blob is gone or damaged', differs: [] };
  const previous = records[0];
  if (previous === undefined)
    return { name, key, cached: false, reason: `no layer ${name} of ${layer.inputs['release']} (${layer.inputs['arch']}) has been made yet`, differs: [] };
  const names = new Set([...Object.keys(layer.inputs), ...Object.keys(previous.inputs)]);
  const differs = [...names].filter((input) => layer.inputs[input] !== previous.inputs[input]).toSorted();
  const reason =
    differs.length === 0
      ? 'the form of keys has changed since it was last made'
      : `${differs.join(', ')} differ${differs.length === 1 ? 's' : ''} from the layer made ${previous.created.slice(0, 16).replace('T', ' ')}`;
  return {
    name,
    key,
    cached: false,
    reason,
    differs,
    ...(differs.includes('packages') ? { packages: comparePackages(previous.packages, layer.packages) } : {}),
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
export function comparePackages(before: readonly InstalledPackage[], after: readonly InstalledPackage[]): PackageChanges {
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
