import * as z from 'zod';

/** The user's settings, `settings.yaml` in the home. Every setting has an environment variable INGOT_<NAME>. */
export const settingsSchema = z.strictObject({
  mirror: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Package mirror that builds download from; the image itself keeps a public one'),
  'security-mirror': z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Mirror of the security archive; default: the one of the host, else the public one'),
});

export type Settings = z.output<typeof settingsSchema>;
