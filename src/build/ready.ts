import type { Context } from '../operations/operation.ts';
import type { LayerPlan } from '../plan/layers.ts';
import type { LayerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';

/** The cached layer, where it stands on the very layer below and is not older than its step allows. */
export async function findReady(
  { host }: Pick<Context, 'host'>,
  store: Pick<Store, 'findLayer'>,
  layer: LayerPlan,
  below: readonly LayerRecord[],
  offline: boolean,
): Promise<LayerRecord | undefined> {
  const record = await store.findLayer(layer.key);
  if (record === undefined || record.parent !== below.at(-1)?.digest) return undefined;
  const age = (host.clock.now().getTime() - Date.parse(record.created)) / 1000;
  return layer.maxAge !== undefined && age > layer.maxAge && !offline ? undefined : record;
}
