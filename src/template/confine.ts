import { basename, dirname, resolve, sep } from 'node:path';
import { nearest } from '../base/errors.ts';
import type { Files, FileStatus } from '../base/files.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { Reading } from './reading.ts';

/** What template files are read with. */
export type TemplateContext = Pick<Context, 'host' | 'home' | 'folder'>;

/** Why a path of a template is refused, as the rest of a sentence. */
export interface Refusal {
  readonly message: string;
  readonly hint?: string;
}

/** A file or folder below the template's root. */
export interface Confined {
  readonly path: HostPath;
  readonly kind: 'file' | 'directory';
  readonly status: FileStatus;
}

/** Whether a path without links is in a folder, or the folder itself. */
export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
}

/** A path that a template names, made absolute; or why it may not be named. Touches nothing. */
export function pathBelow(root: HostPath, folder: string, text: string): { readonly path: HostPath } | { readonly refusal: Refusal } {
  if (text.includes('\0') || text.includes('\n')) return { refusal: { message: 'is not a path' } };
  if (text.startsWith('~'))
    return { refusal: { message: `must be relative to the template's folder, without ~`, hint: 'So the template gives the same image for everybody.' } };
  if (text.startsWith('/')) return { refusal: { message: `must be relative to the template's folder`, hint: 'Copy or bind what it needs into that folder.' } };
  const path = hostPath(resolve(folder, text));
  if (!isBelow(root, path)) {
    return {
      refusal: {
        message: `leads out of the template's folder`,
        hint: `Nothing outside ${root} can be named; an ingot.settings.yaml in a folder above makes that folder the border.`,
      },
    };
  }
  return { path };
}

/** A file or folder that a template names: it is there, is no device, and no link on the way leads out of the root. */
export async function confine(files: Files, reading: Reading, root: HostPath, folder: string, text: string): Promise<Confined | { readonly refusal: Refusal }> {
  const named = pathBelow(root, folder, text);
  if ('refusal' in named) return named;
  const found = await reading.at(named.path);
  if (found === undefined) return { refusal: await missing(files, named.path, text) };
  const { path, status } = found;
  // Not even whether something is there is told of what lies outside.
  if (!isBelow(root, path)) return { refusal: { message: `leads out of the template's folder, through a link to ${path}` } };
  if (status === undefined) return { refusal: await missing(files, named.path, text) };
  if (status.kind !== 'file' && status.kind !== 'directory') return { refusal: { message: `${text} is neither a file nor a folder` } };
  return { path, kind: status.kind, status };
}

async function missing(files: Files, path: string, text: string): Promise<Refusal> {
  if ((await files.status(path)) !== undefined) return { message: `${text} is a link that leads nowhere` };
  const around = await files.list(dirname(path)).catch(() => []);
  const guesses = nearest(basename(path), around);
  return { message: `there is no ${text}`, ...(guesses.length > 0 ? { hint: `Did you mean ${guesses.join(' or ')}?` } : {}) };
}
