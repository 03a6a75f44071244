import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { imageConfig } from '../plan/plan.ts';
import type { ImageFinder } from '../store/find-image.ts';
import type { GateStatement, Image, ImageConfig, LayerRecord } from '../store/model.ts';
import { automaticTag, isAutomaticTag } from '../store/reference.ts';
import { openStore } from '../store/store.ts';
import type { FinishedImage, ImageBuild, LayerResult } from './images.ts';

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
  build: ImageBuild,
  content: ImageContent,
  find: ImageFinder,
): Promise<{ readonly image: Image; readonly gate: GateStatement } | undefined> {
  const image = await find(content.config, content.records, build.plan.template.name);
  const gate = image === undefined ? undefined : await build.gate.known(context, image);
  return image === undefined || gate === undefined ? undefined : { image, gate };
}

/** Stores the image, without a tag. Throws `tag-taken` where the tag that it is to have belongs to another image: such a tag never moves. */
export async function storeImage(context: Context, build: ImageBuild, content: ImageContent): Promise<Image> {
  const store = openStore(context.host, context.home);
  const { name } = build.plan.template;
  const image = await store.putImage(content.config, content.records, name, []);
  const taken = build.tag === undefined ? undefined : (await store.list()).find((other) => other.name === name && other.tag === build.tag);
  if (taken === undefined || taken.digest === image.digest) return image;
  throw new IngotError('conflict', 'tag-taken', `${name}:${build.tag} is another image already, and this tag never moves`, {
    hint: `Give this one another version in its template or with --tag, or remove the other: ingot image remove ${name}:${build.tag}`,
  });
}

/** Moves the tags of an image that may have them, and writes its outputs. */
export async function finishImage(
  context: Context,
  build: ImageBuild,
  content: ImageContent,
  proven: { readonly image: Image; readonly gate: GateStatement },
): Promise<FinishedImage> {
  const { name } = build.plan.template;
  const tag = build.tag ?? immutableTag(context, proven.image, name);
  const image = await moveTags(context, build, content, proven.image, ['latest', tag]);
  await build.finish?.(context, image);
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

async function moveTags(context: Context, build: ImageBuild, content: ImageContent, image: Image, wanted: readonly string[]): Promise<Image> {
  const { name } = build.plan.template;
  if (wanted.every((each) => image.references.includes(`${name}:${each}`))) return image;
  context.events.message('debug', `Tagging ${name}:${wanted.join(` and ${name}:`)}.`);
  return await openStore(context.host, context.home).putImage(content.config, content.records, name, wanted);
}

/** The tag that a build gave the image already, else one of today. */
function immutableTag(context: Context, image: Image, name: string): string {
  const tags = image.references.flatMap((reference) => (reference.startsWith(`${name}:`) ? [reference.slice(name.length + 1)] : []));
  return tags.find((tag) => isAutomaticTag(tag, image.digest)) ?? automaticTag(context.host.clock.now(), image.digest);
}
