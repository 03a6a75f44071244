import { IngotError } from '../base/errors.ts';
import type { PlaceWish, PlannedPlace, PlatformContext } from '../platforms/platform.ts';
import { isValidated, Journal, placesMade, publicationId, readPublication, type PlaceRecord, type Publication } from './journal.ts';
import { labelled, planPublication } from './plan.ts';
import type { PublishRequest } from './publish.ts';

/**
 * The journal to work on: that of the same image there, where it can be gone on with, with places that are wished for in addition; else a new one. What was
 * planned otherwise, or has been changed there since, is removed first. Throws `publication-differs`, and what planning throws.
 */
export async function journalFor(context: PlatformContext, request: PublishRequest): Promise<Journal> {
  const journal = await continued(context, request);
  if (journal === undefined) return await begin(context, request);
  await addPlaces(context, request, journal);
  return journal;
}

async function continued(context: PlatformContext, request: PublishRequest): Promise<Journal | undefined> {
  const { publisher } = request.platform;
  const content = await readPublication(context, publicationId(request.target, request.image));
  if (content === undefined) return undefined;
  const journal = new Journal(context, content);
  const same = JSON.stringify(content.machine) === JSON.stringify(request.machine);
  const unwanted = content.places.filter((place) => !isWanted(place, request.places));
  if (isValidated(content)) {
    const whole = await Promise.all(placesMade(content).map(({ id }) => publisher.intact(journal.place(id))));
    if (!same || unwanted.some(({ state }) => state === 'validated')) {
      // A wish that cannot be met, such as a node that is not there, is said first.
      await planPublication(request);
      throw new IngotError('conflict', 'publication-differs', `${content.id} is there already, made with other wishes`, {
        hint: `Remove it first: \`ingot publication remove ${content.id}${content.state === 'current' ? ' --force' : ''}\`.`,
      });
    }
    // One that was to be added, did not come so far, and is wished for no more.
    for (const { id } of unwanted) {
      await publisher.remove(journal.place(id));
      await journal.change((now) => ({ ...now, places: now.places.filter((place) => place.id !== id) }));
    }
    if (whole.every(Boolean)) return journal;
    if (request.places.besides === true) {
      throw new IngotError('not-found', 'publication-gone', `${content.id} was changed or removed on the target: there is nothing that could be copied`, {
        hint: 'Publish the image again: it is made anew.',
      });
    }
    context.events.message('warn', `${content.id} was changed or removed on the target; it is made anew`);
  } else if (same && unwanted.length === 0) {
    context.events.message('info', `Going on with ${content.id}: ${content.places.map((place) => `${place.id} is ${place.state}`).join(', ')}`);
    return journal;
  }
  for (const { id } of journal.content.places) await publisher.remove(journal.place(id));
  await journal.forget();
  return undefined;
}

/** Where a node has several places, each is called by the node's name and a word after a slash. */
function isOn(id: string, node: string): boolean {
  return id === node || id.startsWith(`${node}/`);
}

/** A wish that names none is met by any, and one for more by those that are proven. */
function isWanted({ id, state }: PlaceRecord, { nodes, besides }: PlaceWish): boolean {
  return nodes.length === 0 || (besides === true && state === 'validated') || nodes.some((node) => isOn(id, node));
}

/** Plans those places that are wished for and were not. A shared storage that serves another place already needs none of its own. */
async function addPlaces(context: PlatformContext, request: PublishRequest, journal: Journal): Promise<void> {
  const { places } = journal.content;
  const { nodes, allNodes } = request.places;
  if (!allNodes && nodes.every((node) => places.some(({ id }) => isOn(id, node)))) return;
  const plan = await context.events.stage(labelled(request, `planning for ${request.target}`), () => planPublication(request));
  const missing = plan.places.filter(({ id }) => !places.some((place) => isOn(id, place.id)));
  if (missing.length === 0) return;
  context.events.message('info', `${journal.content.id} gets ${missing.map(({ id }) => id).join(', ')} in addition`);
  // A copy has its reasons from what it is a copy of.
  const reasons = request.places.besides === true ? [] : missing.flatMap(({ why }) => why);
  for (const line of reasons) context.events.message('info', labelled(request, line));
  await journal.change((content) => ({ ...content, places: [...content.places, ...missing.map(placeRecord)] }));
}

function placeRecord({ id, facts, disk }: PlannedPlace): PlaceRecord {
  return { id, state: 'planned', facts, disk, checks: [] };
}

async function begin(context: PlatformContext, request: PublishRequest): Promise<Journal> {
  const { image, target, machine } = request;
  const plan = await context.events.stage(labelled(request, `planning for ${target}`), () => planPublication(request));
  for (const warning of plan.warnings) context.events.message('warn', labelled(request, warning));
  for (const line of plan.places.flatMap(({ why }) => why)) context.events.message('info', labelled(request, line));
  const now = context.host.clock.now().toISOString();
  const { name, reference, digest, id, gate, details } = image;
  const journal = new Journal(context, {
    v: 1,
    id: publicationId(target, image),
    target,
    image: { name, reference, digest, id, gate, release: details.release },
    state: 'planned',
    machine,
    places: plan.places.map(placeRecord),
    created: now,
    updated: now,
  } satisfies Publication);
  await journal.change((content) => content);
  return journal;
}
