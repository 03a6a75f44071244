import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { imageConfig } from '../plan/plan.ts';
import type { ImageFinder } from '../store/find-image.ts';
import type { GateStatement, Image, ImageConfig, LayerRecord } from '../store/model.ts';
import type { Name } from '../base/types.ts';
import { automaticTag, isAutomaticTag } from '../store/reference.ts';
import { openStore } from '../store/store.ts';
import type { FinishedImage, ImageBuild, LayerResult } from './images.ts';

/** What an image is to be called, and what it has to pass before it is. */
export interface ImageTarget extends Pick<ImageBuild, 'tag' | 'gate' | 'finish'> {
  readonly name: Name;
}

/** What the image of a build is to be called. */
export function targetOf({ plan, tag, gate, finish }: ImageBuild): ImageTarget {
  return { name: plan.template.name, tag, gate, ...(finish === undefined ? {} : { finish }) };
}

/** What an image is made of, when all its layers are there. */
export interface ImageContent {
  readonly config: ImageConfig;
  readonly records: readonly LayerRecord[];
  readonly layers: readonly LayerResult[];
}

export function contentOf(build: ImageBuild, records: readonly LayerRecord[], layers: readonly LayerResult[]): ImageContent {
  return {
    config: imageConfig(
      build.plan,
      records.map(({ digest }) => digest),
    ),
    records,
    layers,
  };
}

/** The image and its gate as far as they are there already; nothing is changed. */
export async function knownImage(
  context: Context,
  target: ImageTarget,
  content: ImageContent,
  find: ImageFinder,
): Promise<{ readonly image: Image; readonly gate: GateStatement } | undefined> {
  const image = await find(content.config, content.records, target.name);
  const gate = image === undefined ? undefined : await target.gate.known(context, image);
  return image === undefined || gate === undefined ? undefined : { image, gate };
}

/** Stores the image, without a tag. Throws `tag-taken` where the tag that it is to have belongs to another image: such a tag never moves. */
async function storeImage(context: Context, { name, tag }: ImageTarget, content: ImageContent): Promise<Image> {
  const store = openStore(context.host, context.home);
  const image = await store.putImage(content.config, content.records, name, []);
  const taken = tag === undefined ? undefined : (await store.list()).find((other) => other.name === name && other.tag === tag);
  if (tag === undefined || taken === undefined || taken.digest === image.digest) return image;
  throw tagTaken(name, tag);
}

/** The error of a tag that is to be another image's. */
export function tagTaken(name: Name, tag: string): IngotError {
  return new IngotError('conflict', 'tag-taken', `${name}:${tag} is another image already, and this tag never moves`, {
    hint: `Give this one another version in its template or with --tag, or remove the other: ingot image remove ${name}:${tag}`,
  });
}

/**
 * Stores an image without a tag and runs its gate, unless a result that holds is known; `learn` hears how long that took, in seconds. Throws
 * `tag-taken`. An image that fails is an answer.
 */
export async function proveImage(
  context: Context,
  target: ImageTarget,
  content: ImageContent,
  learn: (seconds: number) => void = () => undefined,
): Promise<{ readonly image: Image; readonly gate: GateStatement }> {
  const image = await storeImage(context, target, content);
  const known = await target.gate.known(context, image);
  if (known !== undefined) return { image, gate: known };
  const start = context.host.clock.monotonic();
  const gate = await target.gate.run(context, image);
  learn((context.host.clock.monotonic() - start) / 1000);
  return { image, gate };
}

/** Moves the tags of an image that may have them, and writes its outputs. */
export async function finishImage(
  context: Context,
  target: ImageTarget,
  content: ImageContent,
  proven: { readonly image: Image; readonly gate: GateStatement },
): Promise<FinishedImage> {
  const tag = target.tag ?? immutableTag(context, proven.image, target.name);
  const image = await moveTags(context, target.name, content, proven.image, ['latest', tag]);
  await target.finish?.(context, image);
  return { image, layers: content.layers, gate: proven.gate, tag };
}

/** The failure of an image that did not pass its gate. */
export function gateFailed(name: string, image: Image, gate: GateStatement): IngotError {
  const failed = gate.checks.filter((check) => check.result === 'failed');
  return new IngotError('verification', 'gate-failed', `${name} did not pass its gate: ${failed.map((check) => check.name).join(', ')}`, {
    hint: `The image is kept without a tag: ingot image show ${name}@${image.digest}. No tag was moved.`,
    problems: failed.map((check) => ({ path: check.name, message: check.detail ?? 'failed' })),
  });
}

async function moveTags(context: Context, name: Name, content: ImageContent, image: Image, wanted: readonly string[]): Promise<Image> {
  if (wanted.every((each) => image.references.includes(`${name}:${each}`))) return image;
  context.events.message('debug', `Tagging ${name}:${wanted.join(` and ${name}:`)}.`);
  return await openStore(context.host, context.home).putImage(content.config, content.records, name, wanted);
}

/** The tag that a build gave the image already, else one of today. */
function immutableTag(context: Context, image: Image, name: string): string {
  const tags = image.references.flatMap((reference) => (reference.startsWith(`${name}:`) ? [reference.slice(name.length + 1)] : []));
  return tags.find((tag) => isAutomaticTag(tag, image.digest)) ?? automaticTag(context.host.clock.now(), image.digest);
}
