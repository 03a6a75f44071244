import * as z from 'zod';
import { parseName, parseSize } from '../base/types.ts';
import { toIngotError } from '../base/errors.ts';

/** A check that throws, as a rule of a schema: its sentence is the message. */
function checkedBy(check: (text: string) => unknown): (text: string, context: z.core.$RefinementCtx<string>) => void {
  return (text, context) => {
    try {
      check(text);
    } catch (error) {
      const { message, hint } = toIngotError(error);
      context.addIssue({ code: 'custom', message: hint === undefined ? message : `${message}. ${hint}` });
    }
  };
}

/** A name of an image. */
export const nameText = z.string().superRefine(checkedBy((text) => parseName(text, 'an image')));

/** A size such as `8GiB`; becomes bytes where it is used ({@link parseSize}). */
export const sizeText = z
  .string()
  .superRefine(checkedBy(parseSize))
  .meta({ examples: ['8GiB'] });

/** An absolute path inside the image, without `..`. */
export const pathText = z
  .string()
  .regex(/^\/[^\n\0]*$/, 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must not hold ..');

/** Octal permissions as text: `0644`. */
export const modeText = z.string().regex(/^[0-7]{3,4}$/, 'must be octal permissions in quotes, such as "0644"');

/** Owner and group: `root:root`, `www-data`. */
export const ownerText = z.string().regex(/^[a-z_0-9][a-z0-9_-]*(:[a-z_0-9][a-z0-9_-]*)?$/, 'must be user:group');

/** A duration: `90s`, `10m`, `1h`. */
export const durationText = z
  .string()
  .regex(/^\d+(s|m|h)$/, 'must be a number and s, m or h, such as 10m')
  .meta({ examples: ['10m'] });

/** Seconds of a duration that {@link durationText} accepted. */
export function seconds(duration: string): number {
  const unit = { s: 1, m: 60, h: 3600 }[duration.slice(-1)] ?? 1;
  return Number(duration.slice(0, -1)) * unit;
}

/** Text that is written here, or comes from a file beside the template, or from an address. */
export const textFrom = z.union([
  z.string().min(1),
  z.strictObject({ file: z.string().min(1).describe("Relative to the template's folder") }),
  z.strictObject({
    url: z.url({ protocol: /^https?$/ }).describe('An http or https address; http needs a checksum'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
      .optional()
      .describe('Its checksum; without one, what the address says now enters the key'),
  }),
]);
export type TextFrom = z.output<typeof textFrom>;
