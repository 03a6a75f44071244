import type { Digest, Name } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { imageConfig, type Plan } from '../plan/plan.ts';
import type { GateStatement, Image, ImageConfig, LayerRecord } from '../store/model.ts';
import { openStore, type Store } from '../store/store.ts';
import { ensureLayer, type LayerOptions, type LayerOutcome } from './layer.ts';

export interface BuildOptions extends LayerOptions {
  /** The user's immutable tag; without it, date and short digest. */
  readonly tag: string | undefined;
  /** Boots the image and says what it found. */
  readonly gate: (image: Image) => Promise<GateStatement>;
}

export interface BuildOutcome {
  readonly image: Image;
  readonly layers: readonly (LayerOutcome & { readonly name: string })[];
  readonly gate: GateStatement;
  readonly tag: string;
}

/**
 * Makes the image of a plan: its layers from the cache or anew, the image of them, the gate, and only then the tags.
 * A gate that failed leaves the image without a tag; its caller reports that.
 */
export async function buildImage(context: Context, plan: Plan, options: BuildOptions): Promise<BuildOutcome> {
  const store = openStore(context.host, context.home);
  const layers: (LayerOutcome & { name: string })[] = [];
  const records = baseRecords(plan);
  for (const layer of plan.layers) {
    const outcome = await ensureLayer(context, store, layer, records, options);
    layers.push({ name: layer.name, ...outcome });
    records.push(outcome.record);
  }
  const config = imageConfig(
    plan,
    records.map(({ digest }) => digest),
  );
  const untagged = await store.putImage(config, records, plan.template.name, []);
  const gate = await options.gate(untagged);
  const tag = options.tag ?? immutableTag(context, untagged, plan.template.name);
  if (gate.result === 'failed') return { image: untagged, layers, gate, tag };
  const image = await moveTags(context, store, config, records, untagged, plan.template.name, tag);
  return { image, layers, gate, tag };
}

/** The layers of the image that a plan starts from, as records. */
export function baseRecords({ base }: Plan): LayerRecord[] {
  if (base === undefined) return [];
  return base.layers.map(({ name, kind, key, digest, size, packages, removed }, i) => {
    const parent = base.layers[i - 1]?.digest;
    return {
      v: 1,
      key,
      digest,
      size,
      name,
      kind,
      ...(parent === undefined ? {} : { parent }),
      virtualSize: base.virtualSize,
      created: '',
      seconds: 0,
      packages: [...packages],
      removed: [...removed],
      inputs: {},
    };
  });
}

async function moveTags(
  context: Context,
  store: Store,
  config: ImageConfig,
  records: readonly LayerRecord[],
  image: Image,
  name: Name,
  tag: string,
): Promise<Image> {
  const wanted = ['latest', tag];
  if (wanted.every((each) => image.references.includes(`${name}:${each}`))) return image;
  context.events.message('debug', `Tagging ${name}:${wanted.join(` and ${name}:`)}.`);
  return await store.putImage(config, records, name, wanted);
}

/** The tag that an image has already, if it has one besides `latest`; else today's date and the image's short digest. */
function immutableTag(context: Context, image: Image, name: string): string {
  const suffix = shortDigest(image.digest);
  const existing = image.references.find((reference) => reference.startsWith(`${name}:`) && reference.endsWith(`-${suffix}`));
  if (existing !== undefined) return existing.slice(name.length + 1);
  return `${context.host.clock.now().toISOString().slice(0, 10).replaceAll('-', '')}-${suffix}`;
}

function shortDigest(digest: Digest): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 8);
}
