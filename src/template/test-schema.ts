import * as z from 'zod';
import { modeText, ownerText, pathText } from './text.ts';

const name = z
  .string()
  .regex(/^[^\n]{1,60}$/, 'must be one line of at most 60 characters')
  .optional()
  .describe('What is shown; default: what it looks at');

export const commandTest = z.strictObject({
  command: z.string().min(1).describe('Shell commands, run as root in the booted image'),
  'exit-code': z.int().min(0).max(255).default(0).describe('The exit code that is right'),
  contains: z.string().optional().describe('Text that its output must hold'),
  name,
});

export const portTest = z.strictObject({
  port: z.int().min(1).max(65_535).describe('Something listens on it'),
  protocol: z.enum(['tcp', 'udp']).default('tcp').describe('Protocol'),
  name,
});

export const serviceTest = z.strictObject({
  service: z
    .string()
    .regex(/^[A-Za-z0-9:_.@-]+$/, 'must be the name of a service')
    .describe('Its name, with or without .service'),
  state: z.enum(['running', 'enabled', 'stopped']).default('running').describe('What it has to be'),
  name,
});

export const fileTest = z.strictObject({
  file: pathText.describe('A path in the image'),
  exists: z.boolean().default(true).describe('false: nothing may be there'),
  contains: z.string().optional().describe('Text that it must hold'),
  mode: modeText.optional().describe('The permissions that it must have'),
  owner: ownerText.optional().describe('The owner that it must have: user, or user:group'),
  name,
});

/** Which kind it is shows its first key. */
export const TEST_SCHEMAS = { command: commandTest, port: portTest, service: serviceTest, file: fileTest } as const;

export const testSchema = z.union([commandTest, portTest, serviceTest, fileTest]);
