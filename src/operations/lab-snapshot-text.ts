import * as z from 'zod';

/** A snapshot of a lab as operations show it. */
export const labSnapshotOutput = z.object({
  name: z.string(),
  created: z.string(),
  members: z.array(z.string()).readonly(),
  without: z.array(z.string()).readonly().describe('Members that do not have it: they were made later'),
  ram: z.boolean().describe('Each has its memory too'),
});
