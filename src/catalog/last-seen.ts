import { dirname } from 'node:path';
import * as z from 'zod';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';

/* What `ingot catalog check` remembers: when each image was last found good, and what it was then. */

export const lastSeenSchema = z.strictObject({
  /** When, as ISO 8601. */
  at: z.string(),
  /** The file of the image, after redirects of patterns: which build it is. */
  file: z.string(),
  /** `sha256:…` or `sha512:…`, where a checksum file says it; null where none does. */
  digest: z.string().nullable(),
  /** The primary key that has signed; null where nothing is signed. */
  signer: z.string().nullable(),
});
export type LastSeen = z.output<typeof lastSeenSchema>;

const fileSchema = z.strictObject({ v: z.literal(1), images: z.record(z.string(), lastSeenSchema) });

type SeenContext = { readonly host: Host; readonly home: Home };

/** What was last seen good, by `release/architecture`; nothing where nothing was checked. */
export async function lastSeenGood({ host, home }: SeenContext): Promise<Readonly<Record<string, LastSeen>>> {
  const text = await readTextIfThere(host.files, home.catalogSeen);
  if (text === undefined) return {};
  // Only a memory: one that cannot be read is made anew.
  const parsed = fileSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data.images : {};
}

/** Adds to what was last seen good. */
export async function rememberSeen(context: SeenContext, seen: Readonly<Record<string, LastSeen>>): Promise<void> {
  const images = { ...(await lastSeenGood(context)), ...seen };
  await context.host.files.makeDirectory(dirname(context.home.catalogSeen));
  await replaceFile(context.host.files, context.home.catalogSeen, `${JSON.stringify({ v: 1, images }, undefined, 2)}\n`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
