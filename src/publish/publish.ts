import { IngotError, toIngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { takeLock } from '../base/lock.ts';
import type { DiskWish, ExportedDisk, MachineWish, PlaceWish, Platform, PlatformContext, PublishedImage, TargetCheck } from '../platforms/platform.ts';
import { journalFor } from './begin.ts';
import type { ChildImage, FindChild } from './image.ts';
import { isValidated, PUBLICATION_STATES, type Journal, type PlaceRecord, type Publication } from './journal.ts';
import { childText, labelled } from './plan.ts';
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
  /** The child that a kind of hypervisor takes instead of the image; without it, the image itself goes everywhere. */
  readonly findChild?: FindChild;
  /** Makes the flat file, of the child where there is one; called once at most for each kind of it, and only where something has to be uploaded. */
  readonly exportDisk: (wish: DiskWish, child: ChildImage | undefined) => Promise<ExportedDisk>;
  /** Log in to the trial VM. */
  readonly ssh: boolean;
  /** Prove it on a VM of its own; default true. */
  readonly validate?: boolean;
  /** Whether it becomes current once it is validated. */
  readonly promote: boolean;
  /** How many versions stay on the target, the current one included. */
  readonly keep: number;
  /** Before what is shown of it, where several are published at the same time. */
  readonly label?: string;
}

export interface PublishResult {
  readonly publication: Publication;
  /** `unchanged`: it was there, as it was left. */
  readonly outcome: 'published' | 'unchanged';
  /** Versions that were removed, and those that could have been but are used. */
  readonly removed: readonly string[];
  readonly kept: readonly string[];
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
  const journal = await journalFor(context, request);
  const unchanged = journal.content.places.every(({ state }) => state === 'validated') && isValidated(journal.content);
  if (!unchanged) await bringThere(context, request, journal);
  // What failed once, and is wished for no more.
  else if (journal.content.failure !== undefined) await journal.change(({ failure: _failure, ...content }) => content);
  const isCurrent = journal.content.state === 'current';
  // Places that a current one got just now are not marked yet.
  if (isCurrent ? !unchanged : request.promote) await promote(context, request.platform, journal);
  const { removed, kept } = await keepNewest(context, request.platform, journal.content, request.keep);
  return { publication: journal.content, outcome: unchanged ? 'unchanged' : 'published', removed, kept };
}

/** One at a time of a name on a target. */
export function publishLock(target: string, name: string): string {
  return `publish-${target.replace(':', '-')}-${name}`;
}

/** Takes every place as far as `validated`; those that fail do not keep the others from it. */
async function bringThere(context: PlatformContext, request: PublishRequest, journal: Journal): Promise<void> {
  await journal.change(({ failure: _failure, ...content }) => content);
  const disks = new Map<string, Promise<ExportedDisk>>();
  const makeDisk = (wish: DiskWish): Promise<ExportedDisk> => {
    const kind = JSON.stringify(wish);
    const made = disks.get(kind) ?? diskFor(request, journal, wish);
    disks.set(kind, made);
    return made;
  };
  const missing = journal.content.places.filter(({ state }) => state !== 'validated');
  const ended = await Promise.allSettled(missing.map(({ id }) => bringTo(context, request, journal, id, makeDisk)));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed?.status === 'rejected') {
    const { code, message } = toIngotError(failed.reason);
    await journal.change((content) => ({ ...content, failure: { time: context.host.clock.now().toISOString(), code, message } }));
    throw failed.reason;
  }
  await journal.change((content) => ({ ...content, state: content.state === 'current' ? 'current' : 'validated' }));
}

/** The flat file of an image, or of the child that is taken there, which the places that get it are told. */
async function diskFor({ findChild, exportDisk }: PublishRequest, journal: Journal, wish: DiskWish): Promise<ExportedDisk> {
  const child = await findChild?.(wish.guest, { build: true });
  if (child !== undefined) {
    const kind = JSON.stringify(wish);
    await journal.change((content) => ({
      ...content,
      places: content.places.map((place) => (JSON.stringify(place.disk) === kind ? { ...place, child: childText(child) } : place)),
    }));
  }
  return await exportDisk(wish, child);
}

async function bringTo(
  context: PlatformContext,
  request: PublishRequest,
  journal: Journal,
  id: string,
  makeDisk: (wish: DiskWish) => Promise<ExportedDisk>,
): Promise<void> {
  const { image, machine, ssh } = request;
  const { publisher } = request.platform;
  const place = journal.place(id);
  const at = (): PlaceRecord['state'] => journal.content.places.find((one) => one.id === id)?.state ?? 'planned';
  const disk = (): Promise<ExportedDisk> => makeDisk(journal.content.places.find((one) => one.id === id)?.disk ?? { format: 'qcow2', guest: 'kvm' });
  const reached = async (state: PlaceRecord['state']): Promise<void> => {
    await reach(journal, id, state);
  };
  const stage = <T>(what: string, work: (span: Span) => Promise<T>): Promise<T> => context.events.stage(labelled(request, `${id}: ${what}`), work);

  if (at() === 'planned') {
    await stage('upload', (span) => publisher.upload(place, image, disk, span));
    await reached('uploaded');
  }
  if (at() === 'uploaded') {
    await stage('import', (span) => publisher.importImage(place, image, machine, span));
    await reached('imported');
  }
  if (at() === 'imported') {
    if (request.validate === false) await journal.changePlace(id, () => ({ checks: [NOT_TRIED] }));
    else if (!hasPassed(journal, id)) await stage('trial', (span) => tryOut(request, journal, id, { ssh, span }));
    await stage('template', (span) => publisher.seal(place, span));
    await publisher.dropUpload(place);
    await reached('validated');
  }
}

/** A place has come so far; the publication is as far as the last of them. */
async function reach(journal: Journal, id: string, state: PlaceRecord['state']): Promise<void> {
  await journal.changePlace(id, () => ({ state }));
  const lowest = Math.min(...journal.content.places.map((one) => PUBLICATION_STATES.indexOf(one.state)));
  // `validated` is said of it once nothing is left to do, by whoever waits for all of them; it stays so while it gets more places.
  await journal.change((content) =>
    isValidated(content) ? content : { ...content, state: PUBLICATION_STATES[Math.min(lowest, PUBLICATION_STATES.indexOf('imported'))] ?? 'planned' },
  );
}

const NOT_TRIED: TargetCheck = { name: 'trial', result: 'not-run', detail: 'it was not to be proven there' };

function hasPassed(journal: Journal, id: string): boolean {
  const checks = journal.content.places.find((one) => one.id === id)?.checks ?? [];
  return checks.length > 0 && checks.every(({ result }) => result !== 'failed');
}

/** The gate on the target. One that fails takes everything with it: a template that did not pass must not lie about. */
async function tryOut(request: PublishRequest, journal: Journal, id: string, options: { readonly ssh: boolean; readonly span: Span }): Promise<void> {
  const { publisher } = request.platform;
  const place = journal.place(id);
  const looked = await publisher.validate(place, request.image, options);
  const untold = (request.image.tests?.names ?? []).filter((name) => !looked.some((check) => check.name === name));
  const checks = [...looked, ...untold.map((name) => ({ name, result: 'not-run' as const, detail: 'one could not log in' }))];
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
