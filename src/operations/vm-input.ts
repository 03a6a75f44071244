import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { parseSize } from '../base/types.ts';

/** The name of a VM that is there, given by position. */
export const vmNameInput = z.string().min(1).describe("The VM's name").meta({ positional: true, complete: 'vm' });

/** Where the VM is. */
export const onInput = z
  .string()
  .min(1)
  .optional()
  .describe('The target that it is on, PLATFORM:NAME; default: this host')
  .meta({ placeholder: 'TARGET', complete: 'target' });

/** Whether a target is another one than this host, which is called `local`. */
export function isRemote(on: string | undefined): on is string {
  return on !== undefined && on !== 'local';
}

/** Names of VMs, given by position; none for all. */
export const vmNamesInput = z.array(z.string().min(1)).default([]).describe("The VMs' names; default all").meta({ positional: true, complete: 'vm' });

/** For how long a login is waited for. */
export const waitSecondsInput = z
  .number()
  .positive()
  .optional()
  .describe('Seconds to wait for it; default 120, or 600 under software emulation')
  .meta({ placeholder: 'SECONDS' });

/** The name of a snapshot that is there, given by position. */
export const snapshotNameInput = z.string().min(1).describe("The snapshot's name").meta({ positional: true });

/** The name of a VM, or that all of `--autostart` are meant. Throws `name-missing`. */
export function oneName(name: string | undefined): string {
  if (name !== undefined) return name;
  throw new IngotError('usage', 'name-missing', 'No VM is named', { hint: 'Name one, or use --autostart for all that start with the host.' });
}

/** What came of each of several VMs. */
export const eachOutput = z.object({ vms: z.array(z.object({ name: z.string(), error: z.string().optional() })) });

/** A line for each of several VMs. */
export function eachText(vms: z.output<typeof eachOutput>['vms'], done: string): string {
  if (vms.length === 0) return 'No VM starts with the host. `ingot vm autostart NAME` makes one do so.';
  return vms.map(({ name, error }) => (error === undefined ? `${name} ${done}.` : `${name}: ${error}`)).join('\n');
}

/** A word that is read by a function of the lab's; what it throws is what is wrong with the word. */
export function parsedInput<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
      context.addIssue({ code: 'custom', message: error.hint ?? error.message });
      return z.NEVER;
    }
  });
}

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
