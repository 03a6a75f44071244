import { IngotError, toIngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { takeLock } from '../base/lock.ts';
import type { DiskWish, ExportedDisk, MachineWish, PlaceWish, Platform, PlatformContext, PublishedImage, PublishPlan } from '../platforms/platform.ts';
import { Journal, publicationId, PUBLICATION_STATES, readPublication, type PlaceRecord, type Publication } from './journal.ts';
import { keepNewest, promote } from './promote.ts';

export interface PublishRequest {
  readonly platform: Platform;
  /** `proxmox:home` */
  readonly target: string;
  readonly image: PublishedImage;
  readonly places: PlaceWish;
  readonly machine: MachineWish;
  /** Bytes of the disk as a VM sees it, and about what the file will have. */
  readonly size: { readonly virtual: number; readonly file: number };
  /** Makes the flat file; called once at most for each kind of it, and only where something has to be uploaded. */
  readonly exportDisk: (wish: DiskWish) => Promise<ExportedDisk>;
  /** Log in to the trial VM. */
  readonly ssh: boolean;
  /** Whether it becomes current once it is validated. */
  readonly promote: boolean;
  /** How many versions stay on the target, the current one included. */
  readonly keep: number;
}

export interface PublishResult {
  readonly publication: Publication;
  /** `unchanged`: it was there, as it was left. */
  readonly outcome: 'published' | 'unchanged';
  /** Versions that were removed, and those that could have been but are used. */
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

/** What a publication would do; nothing is changed, here or there. */
export async function planPublication(request: PublishRequest): Promise<PublishPlan> {
  const { image, size, places, machine } = request;
  return await request.platform.publisher.plan(image, size, places, machine);
}

/**
 * Publishes an image: uploaded, imported, validated, current. Each step is in the journal before it is done and after, so that one that was cut goes on
 * where it was, or what was half done is removed. Throws what the platform throws, and `target-gate-failed` where the trial did not pass: then nothing of
 * it is left on the target.
 */
export async function publish(context: PlatformContext, request: PublishRequest): Promise<PublishResult> {
  const { target, image } = request;
  const { host, home, signal, events } = context;
  await using _lock = await takeLock(host, home, publishLock(target, image.name), {
    what: `publishing ${image.name} to ${target}`,
    signal,
    onWait: (owner) => events.message('info', `Waiting for ${owner?.what ?? 'another process'}`),
  });
  const known = await continued(context, request);
  const unchanged = known !== undefined && isValidated(known.content);
  const journal = known ?? (await begin(context, request));
  if (!unchanged) await bringThere(context, request, journal);
  if (request.promote && journal.content.state !== 'current') await promote(context, request.platform, journal);
  const { removed, kept } = await keepNewest(context, request.platform, journal.content, request.keep);
  return { publication: journal.content, outcome: unchanged ? 'unchanged' : 'published', removed, kept };
}

/** One at a time of a name on a target. */
export function publishLock(target: string, name: string): string {
  return `publish-${target.replace(':', '-')}-${name}`;
}

function isValidated({ state }: Publication): boolean {
  return PUBLICATION_STATES.indexOf(state) >= PUBLICATION_STATES.indexOf('validated');
}

/** The journal of the same image there, where it can be gone on with. What was planned otherwise, or has been changed there since, is removed first. */
async function continued(context: PlatformContext, request: PublishRequest): Promise<Journal | undefined> {
  const { publisher } = request.platform;
  const content = await readPublication(context, publicationId(request.target, request.image));
  if (content === undefined) return undefined;
  const journal = new Journal(context, content);
  const same = JSON.stringify(content.machine) === JSON.stringify(request.machine) && samePlaces(content, request.places);
  if (isValidated(content)) {
    const whole = await Promise.all(content.places.map(({ id }) => publisher.intact(journal.place(id))));
    if (same && whole.every(Boolean)) return journal;
    if (!same) {
      throw new IngotError('conflict', 'publication-differs', `${content.id} is there already, made with other wishes`, {
        hint: `Remove it first: \`ingot publication remove ${content.id}\`.`,
      });
    }
    context.events.message('warn', `${content.id} was changed or removed on the target; it is made anew`);
  } else if (same) {
    context.events.message('info', `Going on with ${content.id}: ${content.places.map((place) => `${place.id} is ${place.state}`).join(', ')}`);
    return journal;
  }
  for (const { id } of content.places) await publisher.remove(journal.place(id));
  await journal.forget();
  return undefined;
}

/**
 * Whether the places that are wished for are those that were planned: a wish that names none is met by any. Where a node has several, a place is called by the
 * node's name and a word after a slash.
 */
function samePlaces({ places }: Publication, { nodes }: PlaceWish): boolean {
  const isOn = (id: string, node: string): boolean => id === node || id.startsWith(`${node}/`);
  return (
    nodes.length === 0 || (nodes.every((node) => places.some(({ id }) => isOn(id, node))) && places.every(({ id }) => nodes.some((node) => isOn(id, node))))
  );
}

async function begin(context: PlatformContext, request: PublishRequest): Promise<Journal> {
  const { image, target, machine } = request;
  const plan = await context.events.stage(`planning for ${target}`, () => planPublication(request));
  for (const warning of plan.warnings) context.events.message('warn', warning);
  for (const line of plan.places.flatMap(({ why }) => why)) context.events.message('info', line);
  const now = context.host.clock.now().toISOString();
  const { name, reference, digest, id, gate, details } = image;
  const journal = new Journal(context, {
    v: 1,
    id: publicationId(target, image),
    target,
    image: { name, reference, digest, id, gate, release: details.release },
    state: 'planned',
    machine,
    places: plan.places.map((place) => ({ id: place.id, state: 'planned', facts: place.facts, disk: place.disk, checks: [] })),
    created: now,
    updated: now,
  });
  await journal.change((content) => content);
  return journal;
}

/** Takes every place as far as `validated`; those that fail do not keep the others from it. */
async function bringThere(context: PlatformContext, request: PublishRequest, journal: Journal): Promise<void> {
  await journal.change(({ failure: _failure, ...content }) => content);
  const disks = new Map<string, Promise<ExportedDisk>>();
  const exported = (wish: DiskWish): Promise<ExportedDisk> => {
    const kind = JSON.stringify(wish);
    const made = disks.get(kind) ?? request.exportDisk(wish);
    disks.set(kind, made);
    return made;
  };
  const ended = await Promise.allSettled(journal.content.places.map(({ id }) => bringTo(context, request, journal, id, exported)));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed?.status === 'rejected') {
    const { code, message } = toIngotError(failed.reason);
    await journal.change((content) => ({ ...content, failure: { time: context.host.clock.now().toISOString(), code, message } }));
    throw failed.reason;
  }
  await journal.change((content) => ({ ...content, state: 'validated' }));
}

async function bringTo(
  context: PlatformContext,
  request: PublishRequest,
  journal: Journal,
  id: string,
  exported: (wish: DiskWish) => Promise<ExportedDisk>,
): Promise<void> {
  const { image, machine, ssh } = request;
  const { publisher } = request.platform;
  const place = journal.place(id);
  const at = (): PlaceRecord['state'] => journal.content.places.find((one) => one.id === id)?.state ?? 'planned';
  const disk = (): Promise<ExportedDisk> => exported(journal.content.places.find((one) => one.id === id)?.disk ?? { format: 'qcow2', guest: 'kvm' });
  const reached = async (state: PlaceRecord['state']): Promise<void> => {
    await reach(journal, id, state);
  };
  const stage = <T>(what: string, work: (span: Span) => Promise<T>): Promise<T> => context.events.stage(`${id}: ${what}`, work);

  if (at() === 'planned') {
    await stage('upload', (span) => publisher.upload(place, image, disk, span));
    await reached('uploaded');
  }
  if (at() === 'uploaded') {
    await stage('import', (span) => publisher.importImage(place, image, machine, span));
    await reached('imported');
  }
  if (at() === 'imported') {
    if (!hasPassed(journal, id)) await stage('trial', (span) => tryOut(request, journal, id, { ssh, span }));
    await stage('template', (span) => publisher.seal(place, span));
    await publisher.dropUpload(place);
    await reached('validated');
  }
}

/** A place has come so far; the publication is as far as the last of them. */
async function reach(journal: Journal, id: string, state: PlaceRecord['state']): Promise<void> {
  await journal.changePlace(id, () => ({ state }));
  const lowest = Math.min(...journal.content.places.map((one) => PUBLICATION_STATES.indexOf(one.state)));
  // `validated` is said of it once nothing is left to do, by whoever waits for all of them.
  await journal.change((content) => ({ ...content, state: PUBLICATION_STATES[Math.min(lowest, PUBLICATION_STATES.indexOf('imported'))] ?? 'planned' }));
}

function hasPassed(journal: Journal, id: string): boolean {
  const checks = journal.content.places.find((one) => one.id === id)?.checks ?? [];
  return checks.length > 0 && checks.every(({ result }) => result !== 'failed');
}

/** The gate on the target. One that fails takes everything with it: a template that did not pass must not lie about. */
async function tryOut(request: PublishRequest, journal: Journal, id: string, options: { readonly ssh: boolean; readonly span: Span }): Promise<void> {
  const { publisher } = request.platform;
  const place = journal.place(id);
  const checks = await publisher.validate(place, request.image, options);
  await journal.changePlace(id, () => ({ checks }));
  const failed = checks.filter(({ result }) => result === 'failed');
  if (failed.length === 0) return;
  await publisher.remove(place);
  await reach(journal, id, 'planned');
  throw new IngotError('verification', 'target-gate-failed', `${request.image.reference} did not pass on ${id} of ${request.target}`, {
    problems: failed.map(({ name, detail }) => ({ path: name, message: detail ?? 'failed' })),
    hint: 'What was made there is removed, and the current version stays. `ingot publication report` shows every check.',
  });
}
