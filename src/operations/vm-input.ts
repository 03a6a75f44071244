import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { parseSize } from '../base/types.ts';

/** The name of a VM that is there, given by position. */
export const vmNameInput = z.string().min(1).describe("The VM's name").meta({ positional: true, complete: 'vm' });

/** Names of VMs, given by position; none for all. */
export const vmNamesInput = z.array(z.string().min(1)).default([]).describe("The VMs' names; default all").meta({ positional: true, complete: 'vm' });

/** For how long a login is waited for. */
export const waitSecondsInput = z
  .number()
  .positive()
  .optional()
  .describe('Seconds to wait for it; default 120, or 600 under software emulation')
  .meta({ placeholder: 'SECONDS' });

/** A size as people write it, turned into bytes. */
export function sizeInput(description: string, least = 1) {
  return z
    .string()
    .transform((text, context): number => {
      try {
        const bytes = parseSize(text);
        if (bytes >= least) return bytes;
        context.addIssue({ code: 'custom', message: `it is below ${least / 2 ** 20} MiB` });
      } catch (error) {
        if (!(error instanceof IngotError)) throw error;
        context.addIssue({ code: 'custom', message: error.hint ?? error.message });
      }
      return z.NEVER;
    })
    .describe(description)
    .meta({ placeholder: 'SIZE' });
}
