import { IngotError } from '../base/errors.ts';
import { parseName, type Name } from '../base/types.ts';
import { imageName } from '../build/foreign-disk.ts';
import { importDisk, type ImportedDisk } from '../build/import-disk.ts';
import { checkLatest } from '../build/import-tag.ts';
import { fetchTemplate } from '../platforms/fetch-template.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findTarget } from '../publish/targets.ts';
import { openStore } from '../store/store.ts';
import type { Context } from './operation.ts';

export interface TemplateImport {
  readonly from: string;
  readonly template: string;
  readonly place: string | undefined;
  /** Default: what the template is called. */
  readonly name: string | undefined;
  readonly force: boolean;
}

/** Takes a template of a target into the store, as a disk that nobody vouches for. Throws `templates-unsupported`, `tag-exists`, and what fetching and importing throw. */
export async function importTemplate(context: Context, { from, template, place, name: given, force }: TemplateImport): Promise<ImportedDisk> {
  const { host, home } = context;
  // Nothing is fetched that could not have its name.
  const checked = async (name: Name): Promise<Name> => {
    await checkLatest(openStore(host, home), name, undefined, force);
    return name;
  };
  const wanted = given === undefined ? undefined : await checked(parseName(given, 'an image'));
  await using platform = await openPlatform(context, await findTarget(context, from));
  const { templates } = platform;
  if (templates === undefined) {
    throw new IngotError('usage', 'templates-unsupported', `${from} gives no templates out`, {
      hint: 'CloudStack does. Of others, export the disk there, and import the file.',
    });
  }
  const named = (called: string): Name => wanted ?? imageName(called, 'template');
  const fetched = await fetchTemplate(context, templates, { name: template, place, check: async ({ name }) => void (await checked(named(name))) });
  const { path } = fetched.file;
  const imported = await importDisk(context, path, { name: named(fetched.template.name), offline: false, force });
  // The store has it now, in a form of its own.
  await host.files.remove(path);
  return imported;
}
