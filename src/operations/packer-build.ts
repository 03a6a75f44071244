import * as z from 'zod';
import { formatSize, hostPath } from '../base/types.ts';
import { isTemplatePath, templatePath } from '../template/find.ts';
import { defineOperation, type Context } from './operation.ts';
import { requestOf, templateInput } from './request-input.ts';

export default defineOperation({
  name: 'packer build',
  summary: 'Build with Packer, and take the disk into the store',
  description:
    'Runs the Packer that is installed here on a project, or on a template that is exported first, with its builder qemu. It works on a copy, so that nothing is left in the folder; what leads out of the folder is not there. The accelerator is found out. The disk is then taken in as `ingot image import` does. Ctrl-C ends Packer and its machine.',
  kind: 'job',
  input: z.strictObject({
    source: z
      .string()
      .min(1)
      .describe('The folder of a project (with a slash: ./web-packer), a release, or a template')
      .meta({ positional: true, complete: 'template' }),
    fromImage: z
      .string()
      .optional()
      .describe('For a template: start from the disk of an image of the store, rather than from the medium that installs the release')
      .meta({ complete: 'image', placeholder: 'IMAGE' }),
    only: z
      .array(z.string())
      .default([])
      .describe("For a project: only these builds, as Packer's -only takes them; default: qemu")
      .meta({ placeholder: 'BUILD' }),
    ...templateInput,
    name: z.string().optional().describe("The image's name; default: the template's, else the folder's"),
    offline: z.boolean().default(false).describe('ingot uses no network; Packer does what its project says'),
    force: z.boolean().default(false).describe('Move the tag latest from another image that has it'),
  }),
  output: z.strictObject({ reference: z.string(), digest: z.string(), release: z.string(), size: z.int(), stored: z.int() }),
  examples: [
    { command: 'ingot packer build ./web-packer', does: 'a project, its disk in the store as web:latest' },
    { command: 'ingot packer build web.yaml --from-image debian-12', does: 'a template, in a machine that starts from an image of ingot' },
    { command: 'ingot packer build ./web-packer --var memory=4096 --name web-big', does: "a value for one of the project's variables" },
  ],
  async run({ source, fromImage, only, offline, force, ...flags }, context) {
    const { buildWithPacker } = await import('../integrations/packer/build/build.ts');
    const folder = await folderOf(context, source);
    const options = { name: flags.name, only, fromImage, offline, force };
    if (folder !== undefined) return await buildWithPacker(context, { kind: 'folder', folder }, { ...options, variables: flags.var });
    const request = requestOf(isTemplatePath(source) ? templatePath(context, source) : source, flags);
    return await buildWithPacker(context, { kind: 'template', request }, { ...options, variables: [] });
  },
  render: ({ reference, digest, release, size, stored }) =>
    `${reference}  ${digest}\n${release}, a disk of ${formatSize(size)}, ${formatSize(stored)} in the store`,
});

/** The folder that a text names; undefined for a release or a template. */
async function folderOf(context: Context, text: string): Promise<ReturnType<typeof hostPath> | undefined> {
  if (context.folder === undefined && !text.startsWith('/')) return undefined;
  const path = templatePath(context, text);
  const real = await context.host.files.resolveLinks(path);
  return real !== undefined && (await context.host.files.status(real))?.kind === 'directory' ? hostPath(real) : undefined;
}
