import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import { formatDuration, formatLeft } from '../base/types.ts';
import { buildCommand, chooseImage, type ImageChoice, type ImageRequest } from '../lab-images/choose-image.ts';
import { imageFacts, readRoles } from '../lab-images/image-facts.ts';
import type { RenderOptions, Context } from './operation.ts';
import { renderTable, styled } from './table.ts';
import type { Machine } from './vm-create-input.ts';

/** What was chosen and why, for scripts. */
export const choiceSchema = z.object({
  action: z.enum(['use', 'build', 'refuse']),
  image: z.string().optional().describe('The image, or what the one that is built will be called'),
  why: z.string(),
  command: z.string().optional().describe('What builds it, where it is not there'),
  candidates: z.array(z.object({ image: z.string(), from: z.enum(['asked', 'preferred', 'own', 'store', 'build']), fits: z.boolean(), why: z.string() })),
});
export type ShownChoice = z.output<typeof choiceSchema>;

/** Which image a VM would get, with all that were looked at. Changes nothing. */
export async function explainImage(context: Context, machine: Machine): Promise<ShownChoice> {
  const choice = await choose(context, await requestOf(context, machine));
  const candidates = [...choice.candidates];
  if (choice.action === 'refuse') return { action: 'refuse', why: [choice.message, choice.hint ?? ''].join('. '), candidates };
  const { action, image, why } = choice;
  return { action, image, why, candidates, ...(choice.action === 'build' ? { command: buildCommand(choice.build) } : {}) };
}

/**
 * The reference of the image that a VM is made from; says which it is and why, and builds it where it is missing, as `ingot build` does. Throws
 * `image-unknown`, `image-unfit`, without `build` `image-not-built`, and what building throws.
 */
export async function imageFor(context: Context, machine: Machine, options: { readonly build: boolean }): Promise<string> {
  const request = await requestOf(context, machine);
  const choice = await choose(context, request);
  if (choice.action !== 'build') return used(context, request, choice);
  if (!options.build) {
    throw new IngotError('not-found', 'image-not-built', `${choice.image} is not built: ${choice.why}`, {
      hint: `Build it with \`${buildCommand(choice.build)}\`, or leave --no-build away.`,
    });
  }
  // Before the lock, since here one sees how long it takes; and once more under it, for a build that no VM is to be made of.
  await waitForBuild(context, choice.image);
  await using _lock = await takeLock(context.host, context.home, `image-${choice.image}`, {
    what: `building ${choice.image}`,
    signal: context.signal,
    onWait: (owner) =>
      context.events.message('info', `${choice.image} is being built already${owner === undefined ? '' : ` (process ${owner.pid})`}: waiting for it`),
  });
  await waitForBuild(context, choice.image);
  // Whoever was waited for has made it, or has not.
  const now = await choose(context, request);
  if (now.action !== 'build') return used(context, request, now);
  context.events.message('info', `${now.image} is being built: ${now.why}`);
  const { buildOne } = await import('./build-one.ts');
  await buildOne(context, now.build);
  return now.image;
}

async function requestOf(context: Context, { image, roles, release }: Machine): Promise<ImageRequest> {
  return { image, release, ...(await readRoles(context, roles)) };
}

async function choose(context: Context, request: ImageRequest): Promise<ImageChoice> {
  const { facts, unknown } = await imageFacts(context, request);
  const choice = chooseImage(request, facts);
  // The store knows the nearest names.
  return choice.action === 'refuse' && choice.hint === undefined ? { ...choice, hint: unknown?.hint } : choice;
}

function used(context: Context, request: ImageRequest, choice: Exclude<ImageChoice, { action: 'build' }>): string {
  if (choice.action === 'refuse') {
    const { code, message, hint } = choice;
    throw new IngotError(code === 'image-unknown' ? 'not-found' : 'conflict', code, message, hint === undefined ? {} : { hint });
  }
  // Who names an image knows which it is.
  if (request.image === undefined) context.events.message('info', `Image ${choice.image}: ${choice.why}`);
  return choice.image;
}

/** Waits for a build of that image which another command runs, and says how long that takes where it is known. */
async function waitForBuild(context: Context, image: string): Promise<void> {
  const { host, home, events, signal } = context;
  if ((await host.files.status(home.queue)) === undefined) return;
  const [{ Queue }, { jobEstimates }] = await Promise.all([import('../queue/queue.ts'), import('../queue/estimate.ts')]);
  const running = async (): Promise<{ readonly id: number; readonly left: string } | undefined> => {
    using queue = await Queue.open(host, home);
    const job = queue.list({ all: false }).find(({ name, state }) => name === image && state === 'running');
    if (job === undefined) return undefined;
    const whole = jobEstimates(queue).get(image);
    const seconds = (host.clock.now().getTime() - Date.parse(job.started ?? job.created)) / 1000;
    return { id: job.id, left: whole === undefined ? `for ${formatDuration(seconds)} now` : formatLeft(Math.max(0, whole - seconds)) };
  };
  const job = await running();
  if (job === undefined) return;
  await events.stage(`${image} is being built by job ${job.id} (${job.left}): waiting for it`, async () => {
    while ((await running()) !== undefined) await host.clock.sleep(1, signal);
  });
}

/** The choice for people. */
export function renderChoice(choice: ShownChoice, options: RenderOptions): string {
  const { action, image, why, command, candidates } = choice;
  const head =
    action === 'refuse' ? why : `${image} ${action === 'use' ? 'is used' : 'would be built'}: ${why}${command === undefined ? '' : `\n  ${command}`}`;
  const table = renderTable(
    [{ title: 'CANDIDATE' }, { title: 'FROM' }, { title: '' }, { title: 'WHY', shrink: 'wrap' }],
    candidates.map((one) => [
      one.image,
      one.from,
      one.image === image && one.fits ? { text: 'taken', style: 'green' as const } : { text: 'no', style: 'dim' as const },
      one.why,
    ]),
    options,
  );
  return [head, '', candidates.length === 0 ? styled('No image was looked at', 'dim', options) : table].join('\n');
}
