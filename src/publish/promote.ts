import { IngotError } from '../base/errors.ts';
import type { Drift, LineageVm, Platform, PlatformContext } from '../platforms/platform.ts';
import { isValidated, Journal, listPublications, placesMade, type Access, type Publication } from './journal.ts';

/** The other publications of the same name on the same target, the one that was current last first. */
async function siblings(access: Access, { id, target, image }: Pick<Publication, 'id' | 'target' | 'image'>): Promise<Publication[]> {
  const all = await listPublications(access);
  return all
    .filter((one) => one.id !== id && one.target === target && one.image.name === image.name)
    .toSorted((a, b) => ((a.promoted ?? '') > (b.promoted ?? '') ? -1 : 1));
}

/**
 * Makes a publication the current one of its name: it is marked first and the others unmarked then, so that there is always one. Cut in between, promoting
 * again ends it. Throws `publication-unproven` before it is validated, and `publication-gone` where the template is no longer there.
 */
export async function promote(context: PlatformContext, { publisher }: Platform, journal: Journal): Promise<void> {
  const { content } = journal;
  if (content.state !== 'validated' && content.state !== 'current') {
    throw new IngotError('conflict', 'publication-unproven', `${content.id} is only ${content.state}: nothing has proven it yet`, {
      hint: 'Run `ingot publish` again, which goes on with it.',
    });
  }
  for (const { id } of placesMade(content)) {
    if (!(await publisher.intact(journal.place(id)))) {
      throw new IngotError('not-found', 'publication-gone', `The template of ${content.id} on ${id} is gone, or was changed`, {
        hint: 'Publish the image again: it is made anew.',
      });
    }
  }
  await context.events.stage('making it current', async () => {
    for (const { id } of placesMade(content)) await publisher.setCurrent(journal.place(id), true);
    await journal.change((now) => ({ ...now, state: 'current', promoted: context.host.clock.now().toISOString() }));
    for (const other of await siblings(context, content)) {
      if (other.state !== 'current') continue;
      const theirs = new Journal(context, other);
      for (const { id } of other.places) if (await publisher.intact(theirs.place(id))) await publisher.setCurrent(theirs.place(id), false);
      await theirs.change((now) => ({ ...now, state: 'validated' }));
    }
  });
}

/** The publication that a rollback goes to: the one that was current before. Throws `rollback-nothing`. */
export async function previousOf(access: Access, current: Publication): Promise<Publication> {
  const previous = (await siblings(access, current)).find((one) => one.state === 'validated' && one.promoted !== undefined);
  if (previous !== undefined) return previous;
  throw new IngotError('not-found', 'rollback-nothing', `No earlier version of ${current.image.name} is on ${current.target}`, {
    hint: '`ingot publish` of an older image makes one; `ingot image list` shows those that are here.',
  });
}

/** What is on the target otherwise than it was published, by place. */
export async function driftOf({ publisher }: Platform, journal: Journal): Promise<(Drift & { readonly place: string })[]> {
  const { content } = journal;
  const places = isValidated(content) ? placesMade(content) : content.places;
  const all = await Promise.all(
    places.map(async ({ id }) => (await publisher.drift(journal.place(id), content.state === 'current')).map((one) => ({ place: id, ...one }))),
  );
  return all.flat();
}

/** The VMs that stand on a publication, as the target knows them now. */
export async function usersOf({ publisher }: Platform, journal: Journal): Promise<LineageVm[]> {
  const all = await Promise.all(journal.content.places.map(({ id }) => publisher.users(journal.place(id))));
  return all.flat();
}

/** Those that would lose their disk, or may: it cannot be told for linked clones on LVM-thin. */
export function dependants(users: readonly LineageVm[]): LineageVm[] {
  return users.filter(({ link }) => link !== 'full');
}

/** Removes a publication and all that belongs to it. Throws `publication-in-use` with the VMs that stand on it, and `publication-current` unless `force`. */
export async function removePublication(platform: Platform, journal: Journal, options: { readonly force: boolean }): Promise<void> {
  const { content } = journal;
  if (content.state === 'current' && !options.force) {
    throw new IngotError('conflict', 'publication-current', `${content.id} is the current one`, {
      hint: 'Promote another one first, roll back, or give --force.',
    });
  }
  const users = await usersOf(platform, journal);
  const blocked = blockedBy(content.id, users, options);
  if (blocked !== undefined) throw blocked;
  for (const { id } of content.places) await platform.publisher.remove(journal.place(id));
  await journal.forget();
}

/** Why a publication cannot be removed where these VMs stand on it: `publication-in-use`; nothing where it can. */
export function blockedBy(publication: string, users: readonly LineageVm[], options: { readonly force: boolean }): IngotError | undefined {
  // Not even by force: their disks would be gone.
  const linked = users.filter(({ link }) => link === 'linked');
  const blocking = options.force ? linked : dependants(users);
  if (blocking.length === 0) return undefined;
  const vms = blocking.map(({ id, name }) => `${id} (${name})`).join(', ');
  return new IngotError('conflict', 'publication-in-use', `${blocking.length} VMs stand on ${publication}: ${vms}`, {
    hint:
      linked.length > 0
        ? 'Delete them, or move them off it by a full clone.'
        : blocking.every(({ link }) => link === 'source')
          ? 'They keep their disks, but cannot be installed anew without it; --force removes it.'
          : 'Whether they are linked clones cannot be told on LVM-thin; --force removes it.',
  });
}

/** Removes the versions beyond the newest `keep`, the current one and those with VMs on them excepted. */
export async function keepNewest(
  context: PlatformContext,
  platform: Platform,
  current: Publication,
  keep: number,
): Promise<{ readonly removed: string[]; readonly kept: string[] }> {
  const [removed, kept]: [string[], string[]] = [[], []];
  const old = (await siblings(context, current)).filter(({ state }) => state === 'validated');
  for (const one of old.slice(Math.max(0, keep - 1))) {
    try {
      await removePublication(platform, new Journal(context, one), { force: false });
      removed.push(one.id);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'publication-in-use') throw error;
      kept.push(`${one.id}: ${error.message}`);
    }
  }
  return { removed, kept };
}
