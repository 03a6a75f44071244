import * as z from 'zod';
import { nameText } from './text.ts';

/*
 * The fleet file: which templates are built together, on which releases, with which roles, for which architectures. Types, messages, the JSON
 * Schema for editors and the reference are all made from this.
 */

const template = z.string().min(1).describe("A template by its name, a template file relative to the fleet's folder, or a release");
const release = z.string().min(1).describe('A release of the catalog, which replaces what the template starts from');
const roles = z.union([z.string().min(1), z.array(z.string().min(1))]);
const arch = z.enum(['amd64', 'arm64']);

const excludeSchema = z
  .strictObject({
    template: z.string().min(1).optional(),
    release: z.string().min(1).optional(),
    roles: roles.optional().describe('Combinations with all of these roles'),
    arch: arch.optional(),
  })
  .refine((exclude) => Object.keys(exclude).length > 0, 'must say what it excludes');

const includeSchema = z.strictObject({
  template,
  release: release.optional(),
  roles: roles.optional().describe('Roles on top of those of the template'),
  arch: arch.optional(),
  name: nameText.optional().describe("The image's name; default: template, release and roles"),
  packages: z.array(z.string().min(1)).default([]).describe('Further packages'),
  variables: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Sets variables of the template'),
});

/** A file that builds every combination of its lists, but those excluded, and those included besides. */
export const fleetSchema = z.strictObject({
  fleet: nameText.optional().describe("The fleet's name; default: the file's"),
  templates: z.array(template).min(1).describe('The templates'),
  releases: z.array(release).default([]).describe('Releases on which each template is built; default: what the template starts from'),
  roles: z.array(roles).default([]).describe('Roles that each gets: one, a list of several, or an empty list for none; default: those of the template alone'),
  arch: z.array(arch).default([]).describe("Processor architectures; default: the template's, else the host's"),
  exclude: z.array(excludeSchema).default([]).describe('Combinations that are not built: those that match all that an entry says'),
  include: z.array(includeSchema).default([]).describe('Images besides the combinations'),
});
export type Fleet = z.output<typeof fleetSchema>;
