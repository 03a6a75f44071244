import * as z from 'zod';
import { testSchema } from '../template/test-schema.ts';
import { modeText, ownerText, pathText } from '../template/text.ts';
import { variableValueSchema } from '../template/variables-schema.ts';

/*
 * A role's file, role.yaml: what a role is, which parameters it takes, and its parts. Types, messages and the reference are made from this.
 * `{{ parameter }}` stands for a parameter's value, as a template's variables do.
 */

const roleName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'must be lower-case letters, digits and dashes');
const parameterName = z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes');

const parameterSchema = z.strictObject({
  type: z.enum(['string', 'number', 'boolean', 'list']).default('string').describe('What it holds'),
  description: z.string().min(1).describe('What it is for'),
  default: variableValueSchema.optional().describe('Without one, whoever uses the role has to set it'),
  values: z.array(variableValueSchema).optional().describe('What it may be'),
  pattern: z.string().optional().describe('A regular expression that it, or each item of it, must match as a whole'),
});
export type RoleParameter = z.output<typeof parameterSchema>;

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const conditions = z.record(z.string(), z.union([scalar, z.array(scalar).min(1)]));

const fileSchema = z
  .strictObject({
    path: pathText.describe('The file in the image'),
    content: z.string().optional().describe('What it holds'),
    json: z.record(z.string(), z.unknown()).optional().describe('What it holds, as JSON; several parts that write the same path are joined'),
    yaml: z.record(z.string(), z.unknown()).optional().describe('The same as YAML'),
    from: z
      .string()
      .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\n\0]+$/, "must be a path in the role's folder")
      .optional()
      .describe("A text file of the role's folder, put there as it is"),
    mode: modeText.default('0644').describe('Permissions'),
    owner: ownerText.default('root:root').describe('Owner and group; they are there by then, since packages come first'),
  })
  .refine(
    (file) => [file.content, file.json, file.yaml, file.from].filter((each) => each !== undefined).length === 1,
    'must have one of content, json, yaml and from',
  );
export type RoleFile = z.output<typeof fileSchema>;

const repositorySchema = z.union([
  z.string().min(1).describe('A repository of the catalog'),
  z.strictObject({
    name: roleName.describe("Name of the repository's file"),
    uri: z.url({ protocol: /^https?$/ }).describe('Where it is'),
    suites: z.array(z.string().min(1)).default([]).describe('Its suites, where it has such'),
    components: z.array(z.string().min(1)).default([]).describe('Its components, where it has such'),
    key: z.url({ protocol: /^https$/ }).describe('Where its key is'),
    fingerprints: z
      .array(z.string().regex(/^[0-9A-F]{40}$|^[0-9A-F]{64}$/, 'must be a fingerprint of 40 or 64 hexadecimal digits'))
      .min(1)
      .describe('Of the keys that may be there, and no others'),
  }),
]);

const downloadSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Where it is'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
    .describe('Its checksum'),
  to: pathText.describe('The file, or where it is unpacked, the folder'),
  unpack: z.enum(['tar']).optional().describe('It is an archive (tar, also compressed), and unpacked'),
  mode: modeText.default('0644').describe('Permissions of the file'),
});
export type RoleDownload = z.output<typeof downloadSchema>;

const runSchema = z.strictObject({
  name: z.string().min(1).max(60).describe('What it does'),
  script: z.string().min(1).describe('POSIX sh; the first command that fails ends it'),
  secret: z.string().optional().describe('Name of the secret that is its standard input'),
});

const portText = z.string().regex(/^[1-9][0-9]{0,4}\/(tcp|udp)$/, 'must be a port and its protocol, such as 80/tcp');

const contents = {
  repositories: z.array(repositorySchema).default([]).describe('Package repositories that it needs'),
  packages: z.array(z.string().min(1)).default([]).describe("Names of the package catalog, else the family's own"),
  files: z.array(fileSchema).default([]).describe('Written after the packages are installed'),
  modules: z
    .array(z.string().regex(/^[A-Za-z0-9_-]+$/))
    .default([])
    .describe('Kernel modules that are loaded at boot'),
  sysctl: z
    .record(z.string().regex(/^[A-Za-z0-9_./-]+$/), z.union([z.string().regex(/^[^\n]*$/), z.number()]))
    .default({})
    .describe('Kernel parameters'),
  services: z
    .record(z.string().regex(/^[A-Za-z0-9:_.@-]+$/), z.enum(['enabled', 'disabled', 'masked']))
    .default({})
    .describe('Whether they start with the system'),
  ports: z.array(portText).default([]).describe('Opened where a firewall is on'),
  downloads: z.array(downloadSchema).default([]).describe('Fetched and verified, then put into the image'),
  run: z.array(runSchema).default([]).describe('Commands inside the closed image, as root, after the files'),
  'kernel-arguments': z
    .array(z.string().regex(/^[^\s"'\\$`]+$/))
    .default([])
    .describe("Added to the kernel's command line"),
  tests: z.array(testSchema).default([]).describe('What must hold in the booted image where the part applies'),
};

/** A part of a role, with its parameters filled in. */
export const partSchema = z.strictObject({
  when: conditions.default({}).describe('All must hold: family, release, distribution, arch or a parameter, and its value or values'),
  unless: conditions.default({}).describe('None may hold'),
  ...contents,
});
export type RolePart = z.output<typeof partSchema>;

/** role.yaml, its parameters filled in. */
export const roleSchema = z.strictObject({
  role: roleName.describe('Its name, which is that of its folder'),
  version: z.string().min(1).describe('Part of the key: raised with every change of what the role means'),
  summary: z.string().min(1).describe('What it is, in a line'),
  parameters: z.record(parameterName, parameterSchema).default({}).describe('What can be set'),
  families: z.array(z.string().min(1)).min(1).describe('Where it can be used'),
  except: z.record(z.string(), z.string().min(1)).default({}).describe('Releases that lack it, and why'),
  conflicts: z.array(roleName).default([]).describe('Roles that cannot be in the same image'),
  requires: z
    .array(z.union([roleName, z.array(roleName).min(1)]))
    .default([])
    .describe('Roles that have to be there too; of a list, one'),
  parts: z.array(partSchema).default([]).describe('What it does: all parts whose conditions hold'),
  tests: z.array(testSchema).default([]).describe('What must hold in the booted image'),
});
export type RoleDocument = z.output<typeof roleSchema>;

/** What can be said of a role before its parameters have values. */
export const roleHeadSchema = roleSchema.omit({ parts: true, tests: true }).extend({ parts: z.unknown().optional(), tests: z.unknown().optional() });
export type RoleHead = Omit<z.output<typeof roleHeadSchema>, 'parts' | 'tests'>;
