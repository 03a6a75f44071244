import { toIngotError, IngotError } from '../base/errors.ts';
import { inPool } from '../base/pool.ts';
import type { PlatformContext, PublishPlan } from '../platforms/platform.ts';
import { parseReference } from '../store/reference.ts';
import { childNamed } from '../template/child.ts';
import { publicationId, readPublication, type Publication } from './journal.ts';
import { planPublication } from './plan.ts';
import { publish, type PublishRequest } from './publish.ts';

/** One image that goes to one target. */
export interface FleetMember {
  /** As it was asked for. */
  readonly image: string;
  readonly target: string;
  /** Looks the image up. Throws what is wrong with it, which keeps no other from being published. */
  prepare(): Promise<PublishRequest>;
  /** Called once after {@link FleetMember.prepare}, however it ended; `isThere`: it is on its target. */
  ended(isThere: boolean): Promise<void>;
}

/** What became of one image on one target. */
export interface FleetRun {
  readonly image: string;
  readonly target: string;
  /** `stopped`: it was not begun any more. */
  readonly outcome: 'published' | 'unchanged' | 'failed' | 'stopped';
  /** As it stands in the journal, where it came so far. */
  readonly publication?: Publication;
  readonly removed: readonly string[];
  readonly kept: readonly string[];
  readonly error?: IngotError;
}

/**
 * Publishes several images, so many at the same time. Those of a target share its platform, and so the order in which work on the same storage is done. One
 * that fails keeps no other from it; after Ctrl-C nothing new is begun.
 */
export async function publishAll(context: PlatformContext, members: readonly FleetMember[], atOnce: number): Promise<FleetRun[]> {
  const runs: FleetRun[] = [];
  await inPool(atOnce, members, async (member, _signal, index) => {
    runs[index] = await publishOne(context, member);
  });
  return runs;
}

async function publishOne(context: PlatformContext, member: FleetMember): Promise<FleetRun> {
  const { image, target } = member;
  if (context.signal.aborted) return { image, target, outcome: 'stopped', removed: [], kept: [] };
  let request: PublishRequest | undefined;
  try {
    request = await member.prepare();
    const result = await publish(context, request);
    await member.ended(true);
    return { image, target, ...result };
  } catch (error) {
    await member.ended(false);
    const found = request === undefined ? undefined : await readPublication(context, publicationId(target, request.image)).catch(() => undefined);
    return { image, target, outcome: 'failed', removed: [], kept: [], error: toIngotError(error), ...(found === undefined ? {} : { publication: found }) };
  }
}

/** What publishing each would do; nothing is changed. */
export interface FleetPlan {
  readonly image: string;
  readonly target: string;
  readonly plan?: PublishPlan;
  readonly error?: IngotError;
}

/** Plans several images, so many at the same time. */
export async function planAll(members: readonly FleetMember[], atOnce: number): Promise<FleetPlan[]> {
  const plans: FleetPlan[] = [];
  await inPool(atOnce, members, async (member, _signal, index) => {
    const { image, target } = member;
    try {
      plans[index] = { image, target, plan: await planPublication(await member.prepare()) };
    } catch (error) {
      plans[index] = { image, target, error: toIngotError(error) };
    }
  });
  return plans;
}

/**
 * The images that words name: references stay as they are, and a word with `*` or `?` stands for every image of the store with such a name, besides those that
 * are named already. Children for other hypervisors are not meant by it: they go where their parents go. `names` are those of the store. Throws
 * `images-none`, and `image-twice`: of two versions of a name, only one can become the current one. Pure.
 */
export function imagesNamed(words: readonly string[], names: readonly string[]): string[] {
  const isPattern = (word: string): boolean => /[*?]/.test(word);
  const plain = words.filter((word) => !isPattern(word));
  const named = plain.map((word) => parseReference(word).name ?? word);
  const twice = named.find((name, index) => named.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new IngotError('usage', 'image-twice', `${twice} is to be published twice`, {
      hint: 'Only one of them could become the current one: leave the other away.',
    });
  }
  const parents = [...new Set(names)].filter((name) => !names.includes(childNamed(name)?.parent ?? ''));
  const found = words.filter(isPattern).flatMap((word) => {
    const pattern = patternOf(word);
    const own = parents.filter((name) => pattern.test(name));
    if (own.length > 0) return own;
    throw new IngotError('not-found', 'images-none', `No image has a name like ${word}`, { hint: '`ingot image list` shows those that are here.' });
  });
  return [...plain, ...new Set(found.filter((name) => !named.some((one) => one === name)))];
}

function patternOf(word: string): RegExp {
  const text = word.replaceAll(/[^*?]/g, (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`);
  return new RegExp(`^${text.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u');
}
