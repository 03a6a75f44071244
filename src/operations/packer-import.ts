import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { writeOutFile } from '../base/out-file.ts';
import { hostPath } from '../base/types.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { shownFile } from '../template/placed.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { variablesOf } from './request-input.ts';

export default defineOperation({
  name: 'packer import',
  summary: "Make a template of ingot from one of Packer's",
  description:
    "Reads HCL2, its JSON, and the JSON of before. A source of qemu, proxmox-iso, proxmox-clone or cloudstack says what release it is and how large the disk; shell, file and ansible provisioners become steps; variables have their defaults. Everything else is listed with its line. The template is written beside Packer's, since it names the same files.",
  kind: 'job',
  input: z.strictObject({
    file: clientFile.meta({ positional: true, clientFile: true }).describe('A *.pkr.hcl, *.pkr.json or *.json, or the folder of a project'),
    output: clientFile.optional().describe("The template to write; default: NAME.yaml beside Packer's file").meta({ placeholder: 'FILE' }),
    name: z.string().optional().describe("The image's name; default: the one of the source"),
    var: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*=/, 'must be name=value'))
      .default([])
      .describe("A value for one of Packer's variables, instead of its default; can be given again")
      .meta({ placeholder: 'NAME=VALUE' }),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({
    file: z.string(),
    name: z.string(),
    from: z.string().optional().describe('The release or disk that it starts from, where that is known'),
    steps: z.int(),
    notCarried: z.array(z.strictObject({ file: z.string(), line: z.int(), column: z.int(), message: z.string() })),
  }),
  examples: [
    { command: 'ingot packer import ubuntu.pkr.hcl', does: 'a template beside it, and what did not carry over' },
    { command: 'ingot packer import ./packer --var disk_size=20480 --output ./packer/web.yaml', does: 'a whole project, with another value' },
  ],
  async run(input, context) {
    const { host, home } = context;
    const { readPackerTemplate, templateFiles } = await import('../integrations/packer/import/read.ts');
    const { fileFinder, importTemplate, nameFor, templateText } = await import('../integrations/packer/import/import.ts');
    const paths = await templateFiles(host, input.file);
    const folder = paths.length === 1 && paths[0] === input.file ? dirname(input.file) : input.file;
    const packer = await readPackerTemplate(host, paths);
    const options = { variables: variablesOf(input.var), releases: releases(await loadCatalog(context)), name: nameFor(basename(input.file)) ?? 'image' };
    const read = async (target: string) => {
      const found = await importTemplate(packer, { ...options, find: fileFinder(host, folder, target) });
      return input.name === undefined ? found : { ...found, name: input.name, template: { ...found.template, name: input.name } };
    };
    const beside = await read(join(folder, 'x'));
    const file = hostPath(input.output ?? join(folder, `${beside.name}.yaml`));
    const made = input.output === undefined ? beside : await read(file);
    await writeOutFile(host, home, file, { force: input.force, what: `writing ${file}` }, (part) =>
      host.files.write(part, templateText(made, basename(input.file))),
    );
    const notCarried = made.notes.map(({ file: of, place, message }) => ({ file: shownFile(hostPath(of), context.folder), ...place, message }));
    for (const { file: of, line, column, message } of notCarried) context.events.message('warn', `${of}:${line}:${column} ${message}.`);
    const { from, steps } = made.template;
    const start = from === undefined ? {} : { from: typeof from === 'string' ? from : JSON.stringify(from) };
    return { file: shownFile(file, context.folder), name: made.name, ...start, steps: Array.isArray(steps) ? steps.length : 0, notCarried };
  },
  render: ({ file, from, steps, notCarried }) =>
    `${file}: from ${from ?? 'nothing yet (add `from`)'}, ${steps} ${steps === 1 ? 'step' : 'steps'}${notCarried.length === 0 ? '' : `, ${notCarried.length} ${notCarried.length === 1 ? 'thing' : 'things'} not carried over`}\nCheck it: ingot template validate ${file}`,
});
