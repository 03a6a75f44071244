import * as z from 'zod';

export const variableValueSchema = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);

/** A variable: its default alone, or with a type and what it may be. */
export const variableSchema = z.union([
  variableValueSchema,
  z.strictObject({
    type: z.enum(['string', 'number', 'boolean', 'list']).default('string').describe('What it holds; a list is written with commas on the command line'),
    description: z.string().optional().describe('What it is for'),
    default: variableValueSchema.optional().describe('Without one, a build has to set it'),
    values: z.array(variableValueSchema).optional().describe('What it may be'),
    pattern: z.string().optional().describe('A regular expression that it must match'),
  }),
]);
export type Variable = z.output<typeof variableSchema>;
export type VariableValue = z.output<typeof variableValueSchema>;
