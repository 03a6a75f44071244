import * as z from 'zod';
import { PLACES } from '../workspace/place.ts';
import { templateInput, upstreamInput } from './request-input.ts';

/** What holds for all images of a command: what a job of the queue keeps beside its image. */
export const commonInput = {
  ...upstreamInput,
  tag: z.string().optional().describe('The tag that never moves again; default: the version of the template, else date and short digest'),
  gate: z
    .enum(['quick', 'full', 'none'])
    .optional()
    .describe('How much is checked by booting; full adds BIOS and UEFI, two clones and a reboot; default: the setting, else quick. --no-gate is none')
    .meta({ negatable: 'none' }),
  workspace: z.enum(PLACES).optional().describe('Where disks are opened: on this host, or in a helper VM; default: the setting, else what the host can do'),
  frozen: z.boolean().default(false).describe('Build exactly what ingot.lock beside the first template says, and ask no repository'),
};
export const commonSchema = z.object(commonInput);
export type CommonFlags = z.output<typeof commonSchema>;

/** The flags of a build besides its templates: of `build` and `queue add`. */
export const buildInput = { ...templateInput, ...commonInput };

const buildFlagsSchema = z.object(buildInput);
export type BuildFlags = z.output<typeof buildFlagsSchema>;

/** How many at once: of `build` and `queue run`. */
export const jobsInput = {
  jobs: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe('How many layers and boots at the same time; default: the setting, else one for each processor, and less where memory or disk are scarce')
    .meta({ short: 'j', placeholder: 'COUNT' }),
};
