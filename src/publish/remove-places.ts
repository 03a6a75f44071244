import { IngotError, nearest } from '../base/errors.ts';
import type { LineageVm, Platform } from '../platforms/platform.ts';
import { isValidated, type Journal } from './journal.ts';
import { blockedBy, removePublication } from './promote.ts';

/**
 * Removes a publication from some of its places, which are told by their names; where that is all of them, it is removed as a whole. Returns the places. Throws
 * `place-unknown` with the nearest names, and `publication-in-use` with the VMs there.
 */
export async function removePlaces(platform: Platform, journal: Journal, names: readonly string[], options: { readonly force: boolean }): Promise<string[]> {
  const { publisher } = platform;
  const { id, places } = journal.content;
  const all = places.map((place) => place.id);
  // Where a zone has several hypervisors, it has a place for each, called after it.
  const chosen = names.flatMap((name) => {
    const found = all.filter((place) => place === name || place.startsWith(`${name}/`));
    if (found.length > 0) return found;
    const near = nearest(name, all);
    throw new IngotError('not-found', 'place-unknown', `${id} is not in ${name}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It is in ${all.join(', ')}.`,
    });
  });
  const gone = [...new Set(chosen)];
  if (all.every((place) => gone.includes(place))) {
    await removePublication(platform, journal, options);
    return gone;
  }
  const users: LineageVm[] = (await Promise.all(gone.map((place) => publisher.users(journal.place(place))))).flat();
  const blocked = blockedBy(id, users, options);
  if (blocked !== undefined) throw blocked;
  for (const name of gone) {
    const place = journal.place(name);
    await publisher.remove(place);
    for (const other of journal.content.places) if (other.id !== name) await publisher.without?.(journal.place(other.id), place);
    await journal.change((content) => ({ ...content, places: content.places.filter((one) => one.id !== name) }));
  }
  // Those that are left may all be proven, where the one that was not is gone.
  await journal.change((content) =>
    !isValidated(content) && content.places.every(({ state }) => state === 'validated') ? { ...content, state: 'validated' } : content,
  );
  return gone;
}
