import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { writeOutFile } from '../base/out-file.ts';
import { hostPath, parseName, type HostPath } from '../base/types.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { isTemplatePath, templatePath, templatesFolder } from '../template/find.ts';
import { shownFile } from '../template/placed.ts';
import { starterTemplate } from '../template/starter.ts';
import { defineOperation, type Context } from './operation.ts';

/** The schema for editors that this ingot was delivered with; the same way from the sources and from the bundle. */
const SCHEMA_FILE = join(import.meta.dirname, '..', '..', 'docs', 'reference', 'template.schema.json');

export default defineOperation({
  name: 'template init',
  summary: 'Write a commented template to start with',
  description:
    'A NAME goes into your folder of templates (the setting `templates`), so that ingot build NAME finds it; a path such as ./web.yaml is written there. A file that is there is never replaced. Its first line tells editors where the schema is.',
  kind: 'query',
  input: z.strictObject({
    name: z.string().min(1).default('web').describe('A name, or a path with a slash or .yaml').meta({ positional: true }),
    from: z.string().min(1).default('debian-12').describe('What it starts from: a release or an image').meta({ complete: 'release' }),
  }),
  output: z.strictObject({ file: z.string(), name: z.string(), build: z.string() }),
  examples: [
    { command: 'ingot template init web', does: 'a template in your folder, built with: ingot build web' },
    { command: 'ingot template init ./web.yaml --from debian-13', does: 'a template in this folder' },
  ],
  async run({ name: text, from }, context) {
    const { path, name, build } = await target(context, text);
    if ((await context.host.files.status(path)) !== undefined) {
      throw new IngotError('conflict', 'file-exists', `${path} exists already`, { hint: 'It stays as it is. Give another name, or edit it.' });
    }
    const schema = (await context.host.files.status(SCHEMA_FILE)) === undefined ? undefined : pathToFileURL(SCHEMA_FILE).href;
    await writeOutFile(context.host, context.home, path, { force: false, what: `writing ${path}` }, (part) =>
      context.host.files.write(part, starterTemplate({ name, from, schema })),
    );
    return { file: path, name, build };
  },
  render({ file, build }) {
    return `Wrote ${file}. Edit it, then: ${build}`;
  },
});

async function target(context: Context, text: string): Promise<{ readonly path: HostPath; readonly name: string; readonly build: string }> {
  if (isTemplatePath(text)) {
    const path = templatePath(context, /\.ya?ml$/.test(text) ? text : `${text}.yaml`);
    const shown = shownFile(path, context.folder);
    return { path, name: parseName(basename(path).replace(/\.ya?ml$/, ''), 'an image'), build: `ingot build ${shown}` };
  }
  const name = parseName(text, 'an image');
  if (releases(await loadCatalog(context)).some(({ id }) => id === name)) {
    throw new IngotError('conflict', 'template-is-release', `${name} is a release of the catalog, which would win over a template of that name`, {
      hint: `Choose another name, or write a file here: ingot template init ./${name}.yaml.`,
    });
  }
  const folder = templatesFolder(context);
  await context.host.files.makeDirectory(folder);
  return { path: hostPath(join(folder, `${name}.yaml`)), name, build: `ingot build ${name}` };
}
