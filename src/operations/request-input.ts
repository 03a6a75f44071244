import * as z from 'zod';
import { filesystemSchema } from '../disk/layout.ts';

/** The template, by position. */
export const templatePosition = {
  template: z
    .string()
    .min(1)
    .describe('A release such as debian-12, a template by its name, or a template file')
    .meta({ positional: true, complete: 'template' }),
};

/** Templates, by position. */
export const templatesPosition = {
  templates: z
    .array(z.string().min(1))
    .min(1)
    .describe('Releases, templates by name, template files, or fleet files')
    .meta({ positional: true, complete: 'template' }),
};

/** The flags that say what an image is to be: shared by build, plan, explain and lock. */
export const templateInput = {
  var: z
    .array(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*=/, 'must be name=value'))
    .default([])
    .describe('Sets a variable of the template; environment: INGOT_VAR_<NAME>. Can be given again')
    .meta({ placeholder: 'NAME=VALUE' }),
  role: z.array(z.string()).default([]).describe('Adds a role; can be given again').meta({ complete: 'role' }),
  package: z
    .array(z.string())
    .default([])
    .describe('Adds a package, by its name in the catalog or the family; can be given again')
    .meta({ complete: 'package' }),
  arch: z.enum(['amd64', 'arm64']).optional().describe("Processor architecture; default: the host's. Another one is built and booted by emulation"),
  kernel: z
    .enum(['cloud', 'generic'])
    .optional()
    .describe('cloud (default): small, for virtual machines; generic: every driver, for VMware, Xen and bare devices'),
  size: z.string().optional().describe("Size of the image's disk; default 4GiB. A VM's root grows to the VM's disk").meta({ placeholder: 'SIZE' }),
  filesystem: filesystemSchema.optional().describe('Root file system; default ext4'),
  name: z.string().optional().describe("The image's name; default: the template's, else the release, plus what differs from the defaults"),
};

/** The flags that say where packages come from. */
export const upstreamInput = {
  mirror: z
    .string()
    .optional()
    .describe("Package mirror to download from; default: the setting, the host's own, else the public one")
    .meta({ placeholder: 'URL' }),
  securityMirror: z.string().optional().describe('Mirror of the security archive').meta({ placeholder: 'URL' }),
  offline: z.boolean().default(false).describe('No network at all: the repositories as they were last seen'),
  allowExpiredMetadata: z.boolean().default(false).describe('Accept repository metadata past its Valid-Until date; the image records it'),
};

const inputSchema = z.object(templateInput);

/** What `--var name=value` sets, by name. */
export function variablesOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text): [string, string] => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
}

/** The request that the flags of one template make. */
export function requestOf(template: string, flags: z.output<typeof inputSchema>) {
  const { var: variables, role: roles, package: packages, ...rest } = flags;
  return {
    template,
    variables: variablesOf(variables),
    roles,
    packages,
    arch: rest.arch,
    kernel: rest.kernel,
    size: rest.size,
    filesystem: rest.filesystem,
    name: rest.name,
  };
}
