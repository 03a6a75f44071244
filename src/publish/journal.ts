import { join } from 'node:path';
import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { removeLeftovers } from '../base/leftovers.ts';
import { diskWishSchema, factsSchema, machineWishSchema, targetCheckSchema, type Facts, type Place } from '../platforms/platform.ts';

/** How far a publication is, in this order. `current` is the one that is used; one that was current before is `validated` again. */
export const PUBLICATION_STATES = ['planned', 'uploaded', 'imported', 'validated', 'current'] as const;
export const publicationStateSchema = z.enum(PUBLICATION_STATES);

const placeSchema = z.strictObject({
  id: z.string(),
  state: publicationStateSchema.exclude(['current']),
  facts: factsSchema,
  disk: diskWishSchema.default({ format: 'qcow2', guest: 'kvm' }),
  /** What was sent there, where its hypervisor takes a child of the image: `web-vmware@sha256:…`. */
  child: z.string().optional(),
  /** What the trial there found. */
  checks: z.array(targetCheckSchema),
});
export type PlaceRecord = z.output<typeof placeSchema>;

/** A publication: an image on a target. The file is the journal: what stands in it was made, or may have been. */
export const publicationSchema = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  target: z.string(),
  image: z.strictObject({
    name: z.string(),
    reference: z.string(),
    digest: z.string(),
    id: z.string(),
    release: z.string(),
    /** What the gate here had found when it was published. */
    gate: z.string(),
  }),
  state: publicationStateSchema,
  machine: machineWishSchema,
  places: z.array(placeSchema),
  created: z.iso.datetime(),
  updated: z.iso.datetime(),
  /** When it became current last; a rollback goes to the one that was so before. */
  promoted: z.iso.datetime().optional(),
  /** Why the last attempt ended early. */
  failure: z.strictObject({ time: z.iso.datetime(), code: z.string(), message: z.string() }).optional(),
});
export type Publication = z.output<typeof publicationSchema>;

const versionSchema = z.looseObject({ v: z.number() });

/** Whether it was proven, all of it or all that it had before it got more places. */
export function isValidated({ state }: Pick<Publication, 'state'>): boolean {
  return PUBLICATION_STATES.indexOf(state) >= PUBLICATION_STATES.indexOf('validated');
}

/** Its places with a template: one that was added later may not have come so far. */
export function placesMade({ places }: Pick<Publication, 'places'>): PlaceRecord[] {
  return places.filter(({ state }) => state === 'validated');
}

export type Access = { readonly host: Host; readonly home: Home };

/** The name of a publication, which is that of its file: the target, the image's name, and twelve digits of its digest. */
export function publicationId(target: string, image: { readonly name: string; readonly digest: string }): string {
  return `${target.replace(':', '-')}-${image.name}-${image.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
}

/** Every publication, the newest first. Throws `publication-damaged`, `publication-newer`. */
export async function listPublications({ host, home }: Access): Promise<Publication[]> {
  const names = (await host.files.list(home.publications)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(names.map((name) => readPublication({ host, home }, name.slice(0, -'.json'.length))));
  return all.filter((one) => one !== undefined).toSorted((a, b) => (a.created > b.created ? -1 : 1));
}

/** One publication, or nothing where there is none of that name. */
export async function readPublication({ host, home }: Access, id: string): Promise<Publication | undefined> {
  const path = home.publication(id);
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) return undefined;
  const content = jsonOf(text);
  const version = versionSchema.safeParse(content);
  if (version.success && version.data.v > 1) {
    throw new IngotError('host', 'publication-newer', `${path} was written by a newer ingot`, { hint: 'Update ingot.' });
  }
  const parsed = publicationSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new IngotError('internal', 'publication-damaged', `${path} is not what ingot wrote`, {
    hint: 'Put it back from a copy. It names what was made on the target; without it, that has to be removed by hand.',
  });
}

/**
 * A publication by its id, by `TARGET NAME` as `proxmox:home/web` (the current one of that name, else the newest), or by the name of an image where only
 * one target has it. Throws `publication-unknown` with the nearest names, `publication-ambiguous`.
 */
export async function findPublication(access: Access, reference: string): Promise<Publication> {
  const all = await listPublications(access);
  const exact = all.find(({ id }) => id === reference);
  if (exact !== undefined) return exact;
  const named = all.filter(({ target, image }) => `${target}/${image.name}` === reference || image.name === reference);
  const targets = [...new Set(named.map(({ target }) => target))];
  if (targets.length > 1) {
    throw new IngotError('usage', 'publication-ambiguous', `${reference} is on ${targets.join(' and ')}`, {
      hint: `Name the target as well: ${targets[0]}/${reference}.`,
    });
  }
  const chosen = named.find(({ state }) => state === 'current') ?? named[0];
  if (chosen !== undefined) return chosen;
  const near = nearest(
    reference,
    all.flatMap(({ id, target, image }) => [id, `${target}/${image.name}`, image.name]),
  );
  throw new IngotError('not-found', 'publication-unknown', `There is no publication ${reference}`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : '`ingot publication list` shows what there is.',
  });
}

/** A publication that is worked on: each change is on the disk before the work goes on. Only under the lock of its target and name. */
export class Journal {
  readonly #access: Access;
  #content: Publication;
  /** Changes come from several places at the same time, and are written one after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(access: Access, content: Publication) {
    this.#access = access;
    this.#content = content;
  }

  get content(): Publication {
    return this.#content;
  }

  /** Changes it, and returns when that is on the disk. */
  async change(edit: (content: Publication) => Publication): Promise<void> {
    const { host, home } = this.#access;
    const updated = edit(this.#content);
    this.#content = { ...updated, updated: host.clock.now().toISOString() };
    const text = `${JSON.stringify(this.#content, undefined, 2)}\n`;
    const path = home.publication(this.#content.id);
    this.#writing = this.#writing.then(async () => {
      await host.files.makeDirectory(home.publications, 0o700);
      await removeLeftovers(host.files, path);
      await replaceFile(host.files, path, text, 0o600);
    });
    await this.#writing;
  }

  async changePlace(id: string, edit: (place: PlaceRecord) => Partial<PlaceRecord>): Promise<void> {
    await this.change((content) => ({ ...content, places: content.places.map((place) => (place.id === id ? { ...place, ...edit(place) } : place)) }));
  }

  /** The place as the adapter works on it. A fact that is set to undefined is gone. */
  place(id: string): Place {
    const find = (): PlaceRecord => {
      const found = this.#content.places.find((place) => place.id === id);
      if (found === undefined) throw new IngotError('internal', 'place-unknown', `The publication has no place ${id}`);
      return found;
    };
    const record = async (change: Facts): Promise<void> => {
      await this.changePlace(id, ({ facts }) => ({
        facts: Object.fromEntries(Object.entries({ ...facts, ...change }).filter(([, value]) => value !== undefined)),
      }));
    };
    return {
      id,
      record,
      get facts() {
        return find().facts;
      },
    };
  }

  /** Removes the file: nothing of it is left on the target. */
  async forget(): Promise<void> {
    await this.#writing;
    await this.#access.host.files.remove(this.#access.home.publication(this.#content.id));
    await this.#access.host.files.sync(join(this.#access.home.publications));
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
