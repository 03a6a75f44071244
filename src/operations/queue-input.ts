import * as z from 'zod';

/** Jobs by their numbers. */
export const jobIds = {
  ids: z.array(z.int().min(1)).min(1).describe('Numbers of jobs, as `ingot queue list` shows them').meta({ positional: true, placeholder: 'ID' }),
};
