import * as z from 'zod';
import { PLACES } from '../workspace/place.ts';
import { templateInput, upstreamInput } from './request-input.ts';

/** The flags of a build besides its templates: of `build` and `queue add`, and what a job of the queue keeps. */
export const buildInput = {
  ...templateInput,
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
