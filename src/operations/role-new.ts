import { dirname, join, relative, resolve } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { writeOutFile } from '../base/out-file.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { shippedCatalog } from '../catalog/catalog.ts';
import { roleScaffold } from '../roles/scaffold.ts';
import { roleHeadSchema } from '../roles/schema.ts';
import { defineOperation, type Context } from './operation.ts';

export default defineOperation({
  name: 'role new',
  summary: 'Write a small role that works, to start with',
  description:
    'A folder with role.yaml, in which every kind of entry is shown and explained, a README.md, and a file that goes into images. By default in your folder of roles, where templates find it by its name; with --folder elsewhere, and templates name it by its path. Nothing that is there is ever replaced.',
  kind: 'query',
  input: z.strictObject({
    name: z.string().min(1).describe('Its name: lower-case letters, digits and dashes').meta({ positional: true }),
    folder: z.string().min(1).optional().describe('The folder in which its own folder is made; default: `roles` in the home').meta({ complete: 'file' }),
  }),
  output: z.strictObject({ folder: z.string(), files: z.array(z.string()), use: z.string(), validate: z.string() }),
  examples: [
    { command: 'ingot role new hello', does: 'a role in your folder of roles, used as: roles: [hello]' },
    { command: 'ingot role new hello --folder .', does: 'a role in this folder, used as: roles: [./hello]' },
  ],
  async run({ name, folder }, context) {
    await checkName(name, folder === undefined);
    const parent = folderOf(context, folder);
    const target = hostPath(join(parent, name));
    if ((await context.host.files.status(target)) !== undefined) {
      throw new IngotError('conflict', 'file-exists', `${target} exists already`, { hint: 'It stays as it is. Give another name, or edit what is there.' });
    }
    const files = roleScaffold(name);
    for (const [path, text] of Object.entries(files)) {
      const file = hostPath(join(target, path));
      await context.host.files.makeDirectory(dirname(file));
      await writeOutFile(context.host, context.home, file, { force: false, what: `writing ${file}` }, (part) => context.host.files.write(part, text));
    }
    const shown = folder === undefined ? name : pathFrom(context, target);
    return { folder: target, files: Object.keys(files), use: `roles: [${shown}]`, validate: `ingot role validate ${shown}` };
  },
  render: ({ folder, files, use, validate }) =>
    [`Wrote ${files.join(', ')} in ${folder}.`, `Edit role.yaml, then: ${validate}`, `In a template: ${use}`].join('\n'),
});

/** Throws `name-invalid`, and `role-in-catalog` where the catalog's would win. */
async function checkName(name: string, own: boolean): Promise<void> {
  if (!roleHeadSchema.shape.role.safeParse(name, { jitless: true }).success) {
    throw new IngotError('usage', 'name-invalid', `"${name}" cannot be the name of a role`, {
      hint: 'Use lower-case letters, digits and dashes, the first no dash: hello, web-cache. At most 41 of them.',
    });
  }
  if (own && (await shippedCatalog()).roles[name] !== undefined) {
    throw new IngotError('conflict', 'role-in-catalog', `${name} is a role of the catalog, which would win over yours of that name`, {
      hint: `Choose another name, or make it elsewhere and name it by its path: ingot role new ${name} --folder .`,
    });
  }
}

function folderOf({ folder: here, home }: Context, text: string | undefined): string {
  if (text === undefined) return home.roles;
  if (here === undefined && !text.startsWith('/')) {
    throw new IngotError('usage', 'path-relative', `"${text}" is a relative path, and there is no folder that it is relative to`, {
      hint: 'Write an absolute path.',
    });
  }
  return resolve(here ?? '/', text);
}

/** A path as a template in the user's folder names it: with a slash, so that it is not taken for a name. */
function pathFrom({ folder }: Context, target: HostPath): string {
  const path = folder === undefined ? target : relative(folder, target);
  return path.startsWith('/') || path.startsWith('..') ? path : `./${path}`;
}
