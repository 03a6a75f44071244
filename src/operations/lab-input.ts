import * as z from 'zod';

/** A lab that is there, by position. */
export const labPosition = z.string().min(1).describe("The lab's name, or its file").meta({ positional: true, complete: 'lab' });

/** The file of a lab, by position. */
export const labFilePosition = z
  .string()
  .min(1)
  .default('lab.yaml')
  .describe('The lab file, or the name of a lab that was made from one')
  .meta({ positional: true, complete: 'lab' });
