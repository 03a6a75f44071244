import * as z from 'zod';
import { durationText, modeText, ownerText, pathText } from './text.ts';

const name = z
  .string()
  .regex(/^[^\n]{1,60}$/, 'must be one line of at most 60 characters')
  .optional()
  .describe("The layer's name; default: what it does");
const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

/** What steps that run a program of the user have in common. */
const program = {
  name,
  env: z.record(variableName, z.string()).default({}).describe('Environment variables'),
  secrets: z.record(variableName, z.string().min(1)).default({}).describe('Environment variable -> name of a secret; its value is never stored'),
  network: z.boolean().default(false).describe('May use the network; then the package indexes and a maximum age enter its key'),
  'max-age': durationOrDays().optional().describe('How long a step with network stays cached; default 7d'),
  booted: z.boolean().default(false).describe('Run it in the booted image, over SSH, since it needs running services; slow'),
  timeout: durationText.default('30m').describe('Then the step has failed'),
};

function durationOrDays(): z.ZodString {
  return z.string().regex(/^\d+(m|h|d)$/, 'must be a number and m, h or d, such as 7d');
}

export const runStep = z.strictObject({
  run: z.string().min(1).describe('Shell commands; the first that fails ends them'),
  shell: z.enum(['sh', 'bash']).default('sh').describe('What runs them'),
  ...program,
});

export const scriptStep = z.strictObject({
  script: z.string().min(1).describe('A program beside the template, relative to its folder; its first line (#!) says what runs it'),
  arguments: z.array(z.string()).default([]).describe('Arguments of the program'),
  ...program,
});

export const copyStep = z.strictObject({
  copy: z.string().min(1).describe("A file or folder, relative to the template's folder"),
  to: pathText.describe('Where it goes. A folder is copied to this path; a path that ends in / takes a file by its own name'),
  owner: ownerText.default('root:root').describe('Owner and group of all of it: www-data:www-data'),
  mode: modeText.optional().describe("Permissions of files; default: the file's own"),
  'directory-mode': modeText.optional().describe("Permissions of folders; default: the folder's own"),
  name,
});

export const fileStep = z.strictObject({
  file: pathText.describe('The file to write'),
  content: z.string().describe('What it holds'),
  owner: ownerText.default('root:root').describe('Owner and group: www-data:www-data'),
  mode: modeText.default('0644').describe('Permissions'),
  name,
});

export const serviceStep = z.strictObject({
  service: z
    .string()
    .regex(/^[A-Za-z0-9:_.@-]+$/, 'must be the name of a service')
    .describe('Its name, with or without .service'),
  state: z.enum(['enabled', 'disabled', 'masked']).default('enabled').describe('Whether it starts with the system; masked: not even by others'),
  name,
});

export const ansibleStep = z.strictObject({
  ansible: z.string().min(1).describe("A playbook, relative to the template's folder"),
  variables: z.record(z.string(), z.unknown()).default({}).describe('Extra variables'),
  secrets: program.secrets,
  network: program.network,
  'max-age': program['max-age'],
  booted: program.booted,
  timeout: program.timeout,
  name,
});

/** One change to the disk; which kind it is shows its first key. */
export const STEP_SCHEMAS = { run: runStep, script: scriptStep, copy: copyStep, file: fileStep, service: serviceStep, ansible: ansibleStep } as const;

export const stepSchema = z.union([runStep, scriptStep, copyStep, fileStep, serviceStep, ansibleStep]);
export type RunStep = z.output<typeof runStep>;
export type ScriptStep = z.output<typeof scriptStep>;
export type CopyStep = z.output<typeof copyStep>;
export type FileStep = z.output<typeof fileStep>;
export type ServiceStep = z.output<typeof serviceStep>;
export type AnsibleStep = z.output<typeof ansibleStep>;
