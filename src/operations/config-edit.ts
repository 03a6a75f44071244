import { join } from 'node:path';
import * as z from 'zod';
import { IngotError, type Problem } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import type { Argv } from '../base/process.ts';
import { findProgram } from '../base/programs.ts';
import { makeScratch } from '../base/scratch.ts';
import { readSettingsText, replaceSettings } from '../base/settings-file.ts';
import { settingNames, settingsSchema } from '../base/settings-schema.ts';
import { settingsInvalid } from '../base/settings-values.ts';
import { settingsTarget } from './config-place.ts';
import { defineOperation, type Context } from './operation.ts';

export default defineOperation({
  name: 'config edit',
  summary: 'Open your settings, or those of the project, in an editor',
  description:
    'The editor is $VISUAL, else $EDITOR, else editor or vi; words after its name are arguments. It gets a copy, which takes the place of the file only when all of it is right; otherwise every problem is named with line and column, and you may go on editing.',
  kind: 'terminal',
  mendsSettings: true,
  input: z.strictObject({
    project: z.boolean().default(false).describe('The file of the project: the nearest ingot.settings.yaml upwards, else a new one here'),
  }),
  output: z.strictObject({ file: z.string(), changed: z.boolean() }),
  examples: [{ command: 'ingot config edit', does: 'change several settings at once' }],
  async run(input, context) {
    const { host, home } = context;
    const target = await settingsTarget(context, input.project);
    const before = (await readTextIfThere(host.files, target.file)) ?? '';
    const editor = await editorOf(context);
    await using scratch = await makeScratch(host, home, 'settings in an editor');
    // With this ending, editors know what it is.
    const copy = join(scratch.path, 'ingot.settings.yaml');
    const offered = before === '' ? introduction() : before;
    await host.files.write(copy, offered, { mode: 0o600 });
    for (let last = offered; ;) {
      const exitCode = await attachEditor([...editor, copy], context);
      if (exitCode !== 0) {
        throw new IngotError('command', 'editor-failed', `${editor[0]} ended with exit code ${exitCode}`, { hint: 'The settings are as they were.' });
      }
      const text = (await readTextIfThere(host.files, copy)) ?? '';
      if (text === offered) return { file: target.file, changed: false };
      const { problems } = readSettingsText(text, target.file, target.level);
      if (problems.length === 0) {
        await replaceSettings(host, home, target, before, text);
        return { file: target.file, changed: true };
      }
      // An editor that changes nothing would be asked for ever.
      if (text === last || !(await context.consent(`${listed(problems)}\nThe settings are not changed. Edit again?`))) throw settingsInvalid(problems);
      last = text;
    }
  },
  render: ({ file, changed }) => (changed ? `${file} is changed` : `${file} is as it was`),
});

async function editorOf({ host }: Context): Promise<Argv> {
  for (const variable of ['VISUAL', 'EDITOR']) {
    const [program, ...words] = (host.env[variable] ?? '').split(/\s+/).filter((word) => word !== '');
    if (program !== undefined) return [program, ...words];
  }
  for (const program of ['editor', 'vi', 'nano']) if ((await findProgram(host, program)) !== undefined) return [program];
  throw editorMissing('No editor was found');
}

async function attachEditor(argv: Argv, context: Context): Promise<number> {
  try {
    return await context.attach(argv, { env: environmentOf(context) });
  } catch (error) {
    if (error instanceof IngotError && error.code === 'command-missing') throw editorMissing(`The editor ${argv[0]} is not installed`);
    throw error;
  }
}

function editorMissing(message: string): IngotError {
  return new IngotError('host', 'editor-missing', message, { hint: 'Name one that is there in the environment variable EDITOR.' });
}

/** An editor is the user's own program: it is looked for, and works, as in the user's shell. */
function environmentOf({ host }: Context): Record<string, string> {
  const own = ['PATH', 'LANG', 'LC_ALL', 'XDG_CONFIG_HOME', 'DISPLAY', 'WAYLAND_DISPLAY', 'XDG_RUNTIME_DIR'];
  return Object.fromEntries(own.flatMap((name) => (host.env[name] === undefined ? [] : [[name, host.env[name]]])));
}

function listed(problems: readonly Problem[]): string {
  return problems
    .map(({ position, path, message, hint }) => {
      const place = position === undefined ? '' : `line ${position.line}, column ${position.column}: `;
      return `  ${place}${path === undefined || path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : `. ${hint}`}`;
    })
    .join('\n');
}

/** What a new file says: every setting, as a comment. */
function introduction(): string {
  return settingNames()
    .map((name) => `# ${settingsSchema.shape[name].description ?? ''}\n# ${name}:\n`)
    .join('\n');
}
