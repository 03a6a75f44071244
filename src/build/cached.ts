import { Memo } from '../base/memo.ts';
import type { Key } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { BaseImage, Plan } from '../plan/plan.ts';
import type { LayerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { LayerOutcome } from './layer.ts';
import { findReady } from './ready.ts';

/** What is known of layers: those that were cached, and those made since. */
export type Outcomes = Map<Key, LayerOutcome>;

/** The layers of the plans that are cached, all below them included; each is looked up once, however many plans have it. */
export async function cachedLayers(context: Pick<Context, 'host'>, store: Store, plans: readonly Plan[], offline: boolean): Promise<Outcomes> {
  const found = new Memo<LayerRecord | undefined>();
  const outcomes: Outcomes = new Map();
  await Promise.all(
    plans.map(async (plan) => {
      const below = baseRecords(plan.base);
      for (const layer of plan.layers) {
        // A key holds the key below it, so that one key stands for one chain.
        const record = await found.get(layer.key, () => findReady(context, store, layer, below, offline));
        if (record === undefined) return;
        outcomes.set(layer.key, { record, cached: true, seconds: 0 });
        below.push(record);
      }
    }),
  );
  return outcomes;
}

/** The records of a plan's layers, bottom first, those of its base image included; only as far as they are known. */
export function recordsOf(plan: Plan, outcomes: Outcomes): LayerRecord[] {
  const records = baseRecords(plan.base);
  for (const { key } of plan.layers) {
    const outcome = outcomes.get(key);
    if (outcome === undefined) break;
    records.push(outcome.record);
  }
  return records;
}

/** The layers of an image that a template starts from. Their own records may be gone from the cache: the image tells enough. */
export function baseRecords(base: BaseImage | undefined): LayerRecord[] {
  return (base?.layers ?? []).map(({ key, digest, size, name, kind, packages, removed }, i) => {
    const parent = base?.layers[i - 1]?.digest;
    return {
      v: 1,
      key,
      digest,
      size,
      name,
      kind,
      ...(parent === undefined ? {} : { parent }),
      virtualSize: base?.virtualSize ?? 0,
      created: new Date(0).toISOString(),
      seconds: 0,
      packages: [...packages],
      removed: [...removed],
      inputs: {},
    };
  });
}
