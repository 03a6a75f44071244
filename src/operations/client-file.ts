import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';

/** A path on the machine of the front end. The CLI makes it absolute; the HTTP API takes an upload or a download instead. */
export const clientFile = z.string().min(1).meta({ clientFile: true });

/** The same, or a path in a VM, written `VM:PATH`: that one stays as it is. */
export const clientFileOrGuestPath = z.string().min(1).meta({ clientFile: true, orGuestPath: true });

/**
 * The two halves of `VM:PATH`; undefined for a path here. As scp has it, a colon after a slash belongs to a path: a file here whose name has a colon
 * is written `./a:b`.
 */
export function splitGuestPath(text: string): { readonly vm: string; readonly path: string } | undefined {
  const colon = text.indexOf(':');
  return colon < 1 || text.slice(0, colon).includes('/') ? undefined : { vm: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** More of it is not read, so that a disk given by mistake is told at once; who reads a file says less. */
const READ_LIMIT = 16 * 2 ** 20;

/** Reads a file of the user's that is small. Throws `file-missing`, `file-is-folder`, `file-too-large`. */
export async function readClientFile(host: Pick<Host, 'files'>, path: string): Promise<Uint8Array> {
  const real = await host.files.resolveLinks(path);
  const status = real === undefined ? undefined : await host.files.status(real);
  if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no file ${path}`);
  if (status.kind === 'directory') throw new IngotError('usage', 'file-is-folder', `${path} is a folder, not a file`);
  if (status.size > READ_LIMIT) throw new IngotError('usage', 'file-too-large', `${path} is larger than ${READ_LIMIT / 2 ** 20} MiB`);
  return await host.files.read(path);
}
