import { IngotError } from '../base/errors.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import type { Context } from '../operations/operation.ts';
import { isRolePath, roleNamed } from '../roles/find.ts';
import { inOrder } from '../roles/relations.ts';
import type { Image, ImageSummary } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { listTemplateFiles } from '../template/find.ts';
import type { ImageFacts, ImageRequest, StoredImage } from './choose-image.ts';
import { preferredImages } from './role-images.ts';

type FactsContext = Pick<Context, 'host' | 'home' | 'settings' | 'folder'>;

/** What an image is made of where nothing but its roles was asked for: the base, what roles need, and updates. */
const PLAIN_KINDS: readonly string[] = ['bootstrap', 'role', 'repositories', 'update'];
/** Configs that are read at the same time. */
const AT_ONCE = 16;

/** What there is, and what the store says of an image that was named and is not there. */
export interface GatheredFacts {
  readonly facts: ImageFacts;
  readonly unknown?: IngotError;
}

/**
 * The roles by their names, as their layers are stacked, and the folders of those that were named by one. Throws `role-unknown` with the nearest
 * names, and what is wrong with one of the user's own.
 */
export async function readRoles(context: FactsContext, texts: readonly string[]): Promise<Required<Pick<ImageRequest, 'roles' | 'rolePaths'>>> {
  if (texts.length === 0) return { roles: [], rolePaths: {} };
  const catalog = await loadCatalog(context);
  const named = await Promise.all(texts.map(async (text) => ({ text, head: (await roleNamed(context, catalog, text)).head })));
  return {
    roles: inOrder([...new Map(named.map(({ head }) => [head.role, head])).values()]),
    rolePaths: Object.fromEntries(named.flatMap(({ text, head }) => (isRolePath(text) ? [[head.role, text]] : []))),
  };
}

/** Gathers what {@link chooseImage} decides by. Reads, and changes nothing. An image that was named and is there costs no look at any other. */
export async function imageFacts(context: FactsContext, request: ImageRequest): Promise<GatheredFacts> {
  const { host, home, settings } = context;
  const store = openStore(host, home);
  const none: ImageFacts = {
    images: [],
    preferred: preferredImages(settings['role-images']),
    defaultRelease: settings['default-release'],
    releases: [],
    templates: [],
    arch: host.machine.arch,
  };
  const known = async (): Promise<Pick<ImageFacts, 'releases' | 'templates'>> => ({
    releases: releases(await loadCatalog(context)).map(({ id }) => id),
    templates: (await listTemplateFiles(context)).map(({ name }) => name),
  });
  if (request.image !== undefined) {
    try {
      return { facts: { ...none, images: [storedImage(await store.resolve(request.image), request.image.replace(/:latest$/, ''))] } };
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'image-unknown') throw error;
      return { facts: { ...none, ...(await known()) }, unknown: error };
    }
  }
  const release = request.release ?? none.defaultRelease;
  const preferred = request.roles.flatMap((role) => none.preferred[role] ?? []);
  const listed = (await store.list()).filter((image) => image.release === release || preferred.some((reference) => isCalled(image, reference)));
  const images: StoredImage[] = [];
  const queue = newestPerImage(listed);
  const reader = async (): Promise<void> => {
    for (let summary = queue.shift(); summary !== undefined; summary = queue.shift()) images.push(await readStored(store, summary));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return { facts: { ...none, ...(await known()), images: images.toSorted((a, b) => (a.reference < b.reference ? -1 : 1)) } };
}

function isCalled({ name, tag }: ImageSummary, reference: string): boolean {
  return `${name}:${tag}` === reference || (tag === 'latest' && name === reference);
}

/** Of the tags of one image under one name, the latest, else one of them: an image is looked at once. */
function newestPerImage(summaries: readonly ImageSummary[]): ImageSummary[] {
  const chosen = new Map<string, ImageSummary>();
  for (const summary of summaries) {
    const key = `${summary.name}@${summary.digest}`;
    if (summary.tag === 'latest' || !chosen.has(key)) chosen.set(key, summary);
  }
  return [...chosen.values()];
}

async function readStored(store: ReturnType<typeof openStore>, summary: ImageSummary): Promise<StoredImage> {
  const reference = summary.tag === 'latest' ? summary.name : `${summary.name}:${summary.tag}`;
  try {
    return { ...storedImage(await store.resolve(reference), reference), gate: summary.gate, damaged: summary.damaged };
  } catch (error) {
    // It is no reason to make no VM from another one.
    if (!(error instanceof IngotError)) throw error;
    const { release, gate, created } = summary;
    return { reference, release, arch: '', roles: [], more: [], gate, created, damaged: error.message };
  }
}

function storedImage(image: Image, reference: string): StoredImage {
  const { release, layers } = image.config['dev.ingot.image'];
  const kinds = layers.map(({ kind }) => kind ?? 'bootstrap');
  return {
    reference,
    release,
    arch: image.config.architecture,
    roles: layers.flatMap(({ kind, name }) => (kind === 'role' ? [name] : [])),
    more: [...new Set(kinds.filter((kind) => !PLAIN_KINDS.includes(kind)))],
    gate: image.gate?.result ?? 'not-run',
    created: image.created,
  };
}
