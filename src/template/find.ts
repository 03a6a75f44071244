import { join, resolve } from 'node:path';
import { IngotError, nearest } from '../base/errors.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { knownRelease, loadCatalog, releases } from '../catalog/catalog.ts';
import type { Context } from '../operations/operation.ts';
import { openStore } from '../store/store.ts';
import { childNamed, type Child } from './child.ts';
import { shownFile } from './placed.ts';

/** What a text that names a template means. */
export type FoundTemplate =
  | { readonly kind: 'release'; readonly id: string }
  | { readonly kind: 'file'; readonly path: HostPath }
  /** The child of an image, which need not be there yet. */
  | ({ readonly kind: 'child' } & Child);

/** A template in the folder of the user's templates. */
export interface TemplateFile {
  readonly name: string;
  readonly path: HostPath;
}

type FindContext = Pick<Context, 'host' | 'home' | 'settings' | 'folder'>;

/** The folder of the user's templates. */
export function templatesFolder({ settings, home }: Pick<Context, 'settings' | 'home'>): HostPath {
  return hostPath(settings.templates ?? home.templates);
}

/** Whether a text is the path of a template's file, rather than a name. */
export function isTemplatePath(text: string): boolean {
  return text.includes('/') || /\.ya?ml$/.test(text);
}

/** A path that a user wrote, as an absolute one. Throws `path-relative` where nobody knows relative to what. */
export function templatePath(context: Pick<Context, 'folder'>, text: string): HostPath {
  if (context.folder === undefined && !text.startsWith('/')) {
    throw new IngotError('usage', 'path-relative', `"${text}" is a relative path, and there is no folder that it is relative to`, {
      hint: 'Write an absolute path.',
    });
  }
  return hostPath(resolve(context.folder ?? '/', text));
}

/**
 * What is meant by `debian-12`, `web` or `./web.yaml`: with a slash or .yaml a file; else a release of the catalog, which wins, or a
 * template of the user's folder, or the child of an image for a platform (`web-vmware`). Throws `template-missing` and `template-unknown`, with the nearest of all that there are.
 */
export async function findTemplate(context: FindContext, text: string): Promise<FoundTemplate> {
  if (isTemplatePath(text)) return { kind: 'file', path: await existingFile(context, text) };
  const known = releases(await loadCatalog(context));
  const release = knownRelease(known, text);
  if (release !== undefined) return { kind: 'release', id: release.id };
  for (const suffix of SUFFIXES) {
    const path = join(templatesFolder(context), `${text}${suffix}`);
    if (text !== '' && (await context.host.files.resolveLinks(path)) !== undefined) return { kind: 'file', path: hostPath(path) };
  }
  const own = (await listTemplateFiles(context)).map(({ name }) => name);
  const here = context.folder === undefined ? [] : await templateFilesIn(context, context.folder);
  const near = nearest(text, [...new Set([...known.flatMap(({ id, aliases }) => [id, ...aliases]), ...own])]);
  const images = new Set((await openStore(context.host, context.home).list()).flatMap(({ name, tag }) => [name, `${name}:${tag}`]));
  const child = childNamed(text);
  if (child !== undefined) {
    const { parent } = child;
    const pinned = parent.includes('@') || parent.startsWith('sha256:');
    if (pinned || images.has(parent) || knownRelease(known, parent) !== undefined || own.includes(parent)) return { kind: 'child', ...child };
  }
  const beside = here.find(({ name }) => name === text);
  throw new IngotError('not-found', 'template-unknown', `There is neither a release nor a template "${text}"`, {
    hint:
      beside !== undefined
        ? `There is a file here: write ${shownFile(beside.path, context.folder)}.`
        : images.has(text)
          ? `It is an image of the store. A template that starts from it says: from: ${JSON.stringify(text)}.`
          : near.length > 0
            ? `Did you mean ${near.join(' or ')}?`
            : `\`ingot catalog distros\` shows the releases. ${own.length > 0 ? `Templates: ${own.join(', ')}.` : 'A file is written with .yaml: web.yaml.'}`,
  });
}

const SUFFIXES = ['.yaml', '.yml'] as const;

async function existingFile(context: FindContext, text: string): Promise<HostPath> {
  const path = templatePath(context, text);
  if ((await context.host.files.resolveLinks(path)) !== undefined) return path;
  const around = await context.host.files.list(join(path, '..')).catch(() => []);
  const near = nearest(
    path.slice(path.lastIndexOf('/') + 1),
    around.filter((name) => /\.ya?ml$/.test(name)),
  );
  throw new IngotError('not-found', 'template-missing', `There is no file ${shownFile(path, context.folder)}`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.join(' or ')}?`
        : '`ingot template list` shows the templates of your folder, `ingot template init NAME.yaml` writes one to start with.',
  });
}

/** The files in the folder of the user's templates, by name. */
export async function listTemplateFiles(context: FindContext): Promise<TemplateFile[]> {
  return await templateFilesIn(context, templatesFolder(context));
}

async function templateFilesIn({ host }: FindContext, folder: string): Promise<TemplateFile[]> {
  const names = (await host.files.list(folder)).filter((name) => /\.ya?ml$/.test(name));
  return names.map((name) => ({ name: name.replace(/\.ya?ml$/, ''), path: hostPath(join(folder, name)) }));
}
