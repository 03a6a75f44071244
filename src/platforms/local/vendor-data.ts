import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';

/** Begins what ingot itself says of a machine, as JSON. */
const CLOUD_CONFIG = '#cloud-config\n';
/** Begins several parts, of which the first is ingot's own. */
const CLOUD_CONFIG_ARCHIVE = '#cloud-config-archive\n';

/** Vendor data: ingot's own configuration, and parts beside it. Of two that say something of the same key, the later one wins: the user's. */
export function vendorText(own: object, parts: readonly unknown[]): string {
  const text = `${CLOUD_CONFIG}${JSON.stringify(own)}\n`;
  return parts.length === 0 ? text : `${CLOUD_CONFIG_ARCHIVE}${JSON.stringify([{ content: text }, ...parts], undefined, 2)}\n`;
}

const archiveSchema = z.tuple([z.object({ content: z.string() })], z.unknown());

/** Takes vendor data apart again: what {@link vendorText} put together. */
export function vendorOf(text: string = `${CLOUD_CONFIG}{}`): { own: Record<string, unknown>; parts: readonly unknown[] } {
  if (text.startsWith(CLOUD_CONFIG)) return { own: parseObject(text.slice(CLOUD_CONFIG.length)), parts: [] };
  if (!text.startsWith(CLOUD_CONFIG_ARCHIVE)) throw foreignSeed();
  const [first, ...parts] = parsed(text.slice(CLOUD_CONFIG_ARCHIVE.length), archiveSchema);
  if (!first.content.startsWith(CLOUD_CONFIG)) throw foreignSeed();
  return { own: parseObject(first.content.slice(CLOUD_CONFIG.length)), parts };
}

/** An object in JSON; of nothing, an empty one. Throws `seed-foreign`. */
export function parseObject(text: string): Record<string, unknown> {
  return text.trim() === '' ? {} : parsed(text, z.record(z.string(), z.unknown()));
}

/** JSON of a form; anything else is not ingot's. */
function parsed<T>(text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw foreignSeed();
  }
}

/** For what no ingot has written. */
export function foreignSeed(cause?: unknown): IngotError {
  return new IngotError('verification', 'seed-foreign', 'The seed of this VM was not written by ingot, or is damaged', {
    hint: 'A VM gets a new one with `ingot vm create`.',
    cause,
  });
}
