import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import { isTemplatePath, templatePath } from '../template/find.ts';
import { shownFile } from '../template/placed.ts';
import { BUILDER_NAMES } from '../integrations/packer/export/builders/builders.ts';
import { sourceName } from '../integrations/packer/export/project.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { requestOf, templateInput, templatePosition } from './request-input.ts';

export default defineOperation({
  name: 'packer export',
  summary: 'Write a template as a complete project for Packer',
  description:
    'The project is for who has to keep Packer: sources, variables, answer files, and the scripts that do in a machine what ingot does to a disk, in the same order. What a template says and Packer cannot is told, and stands in its README. It builds with Packer 1.6 (Debian 12) and later.',
  kind: 'job',
  input: z.strictObject({
    ...templatePosition,
    output: clientFile.optional().describe('The folder; default: NAME-packer here').meta({ placeholder: 'FOLDER' }),
    builder: z.array(z.enum(BUILDER_NAMES)).default([]).describe('A builder that it has; can be given again; default: all'),
    format: z.enum(['hcl', 'json']).default('hcl').describe('HCL2, or JSON that means the same (*.pkr.json)'),
    fromImage: z
      .string()
      .optional()
      .describe('Start from the disk of an image of the store (disk_image), rather than from the medium that installs the release')
      .meta({ complete: 'image', placeholder: 'IMAGE' }),
    ...templateInput,
    offline: z.boolean().default(false).describe('Use no network: keys and roles as they were last seen'),
    force: z.boolean().default(false).describe('Replace the files of an earlier export in the folder; files of yours stay'),
  }),
  output: z.strictObject({
    folder: z.string(),
    name: z.string(),
    release: z.string(),
    builders: z.array(z.enum(BUILDER_NAMES)),
    files: z.array(z.string()),
    notCarried: z.array(z.string()),
  }),
  examples: [
    { command: 'ingot packer export web.yaml', does: 'web-packer/, with all builders' },
    { command: 'ingot packer export debian-12 --builder qemu --format json --output ./debian', does: 'one builder, in JSON' },
    { command: 'ingot packer export web.yaml --from-image debian-12', does: 'a project that starts from an image of ingot' },
  ],
  async run({ template, output, builder, format, fromImage, offline, force, ...flags }, context) {
    const { exportProject } = await import('../integrations/packer/export/export.ts');
    const request = requestOf(isTemplatePath(template) ? templatePath(context, template) : template, flags);
    const options = { builders: builder, format, force, offline, ...(fromImage === undefined ? {} : { fromImage }) };
    const made = await exportProject(context, request, options, (name) => {
      if (output !== undefined) return hostPath(output);
      if (context.folder === undefined)
        throw new IngotError('usage', 'path-relative', 'There is no folder here that the project could be written to', { hint: 'Give --output.' });
      return hostPath(join(context.folder, `${name}-packer`));
    });
    for (const text of made.notCarried) context.events.message('warn', `Not in the project: ${text}.`);
    return { ...made, folder: shownFile(made.folder, context.folder), builders: [...made.builders], files: [...made.files], notCarried: [...made.notCarried] };
  },
  render: ({ folder, files, builders, name }) => {
    const packer = `cd ${folder} && packer build -only='${builders[0] ?? 'qemu'}.${sourceName(name)}' .`;
    return `${folder}: ${files.length} files, for ${builders.join(', ')}\nBuild it: ${builders.includes('qemu') ? `ingot packer build ${folder}, or: ` : ''}${packer}`;
  },
});
