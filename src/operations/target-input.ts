import * as z from 'zod';

/** A target that is there, given by position. */
export const targetInput = z.string().min(1).describe('The target, PLATFORM:NAME, or its name alone').meta({ positional: true, complete: 'target' });
