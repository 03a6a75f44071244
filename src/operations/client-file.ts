import * as z from 'zod';

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
