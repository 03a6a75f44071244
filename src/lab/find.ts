import { basename } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import { hostPath, parseName, type HostPath, type Name } from '../base/types.ts';
import { isTemplatePath, templatePath } from '../template/find.ts';
import type { ReadContext } from './read.ts';
import { nameInFile } from './read.ts';
import { loadAnyLab } from './state.ts';

/** The lab file that is meant by a path, or by the name of a lab that is there. Throws `lab-unknown`, `path-relative`. */
export async function labFile(context: ReadContext, text: string): Promise<HostPath> {
  if (isTemplatePath(text)) return templatePath(context, text);
  return hostPath((await loadAnyLab(context.host, context.home, parseName(text, 'a lab'))).file);
}

/** The lab that is meant by a name, or by the path of a lab file. Throws `name-invalid`, `lab-file-missing`, `lab-nameless`. */
export async function labName(context: ReadContext, text: string): Promise<Name> {
  if (!isTemplatePath(text)) return parseName(text, 'a lab');
  const path = templatePath(context, text);
  const content = await readTextIfThere(context.host.files, path);
  if (content === undefined)
    throw new IngotError('not-found', 'lab-file-missing', `There is no file ${path}`, { hint: 'A lab can be named by its name, too.' });
  const name = nameInFile(path, content);
  if (name !== undefined) return parseName(name, 'a lab');
  throw new IngotError('usage', 'lab-nameless', `${basename(path)} does not say the name of a lab`, { hint: 'It begins with a line such as `lab: shop`.' });
}
