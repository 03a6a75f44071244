import * as z from 'zod';
import { lineageSchema, targetCheckSchema } from '../platforms/platform.ts';
import { publicationStateSchema, type Publication } from '../publish/journal.ts';

/** A publication that is there, given by position. */
export const publicationInput = z
  .string()
  .min(1)
  .describe('The publication: its id, TARGET/NAME, or the name of the image')
  .meta({ positional: true, complete: 'publication' });

export const publicationLineSchema = z.strictObject({
  id: z.string(),
  target: z.string(),
  name: z.string(),
  reference: z.string(),
  digest: z.string(),
  state: publicationStateSchema,
  places: z.array(z.string()),
  gate: z.string(),
  created: z.string(),
  updated: z.string(),
  failure: z.string().optional(),
});

export const publicationDetailSchema = z.strictObject({
  ...publicationLineSchema.shape,
  made: z.array(z.strictObject({ place: z.string(), what: z.string(), state: z.string(), checks: z.array(targetCheckSchema) })),
  /** What stands on it, as the target knows now; absent where it was not asked. */
  vms: z.array(lineageSchema).optional(),
});

/** One line about a publication. */
export function publicationLine({ id, target, image, state, places, created, updated, failure }: Publication): z.output<typeof publicationLineSchema> {
  const line = {
    id,
    target,
    name: image.name,
    reference: image.reference,
    digest: image.digest,
    state,
    places: places.map((place) => place.id),
    gate: image.gate,
    created,
    updated,
  };
  return failure === undefined ? line : { ...line, failure: `${failure.code}: ${failure.message}` };
}
