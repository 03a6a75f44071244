import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { changeSetting } from '../base/settings-file.ts';
import { settingsSchema, variableOf } from '../base/settings-schema.ts';
import { projectProblem, settingFromText } from '../base/settings-values.ts';
import { shownValue } from '../base/settings.ts';
import { settingsTarget } from './config-place.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'config set',
  summary: 'Change a setting in your file, or in that of the project',
  description:
    'Comments and other settings in the file are kept. An address with a password is better written with `ingot config edit`: words of a command line can be seen by other users of this host and stay in the history of the shell.',
  kind: 'query',
  mendsSettings: true,
  input: z.strictObject({
    name: settingsSchema.keyof().meta({ positional: true }).describe('Name of the setting'),
    value: z.string().meta({ positional: true }).describe('The new value'),
    project: z.boolean().default(false).describe('In the file of the project: the nearest ingot.settings.yaml upwards, else a new one here'),
  }),
  output: z.strictObject({ name: z.string(), value: z.string(), file: z.string(), changed: z.boolean(), overriddenBy: z.string().nullable() }),
  examples: [
    { command: 'ingot config set mirror http://mirror.example/debian', does: 'download from there' },
    { command: 'ingot config set gate full --project', does: 'what is built in this folder passes the full gate' },
  ],
  async run(input, context) {
    const { name } = input;
    const target = await settingsTarget(context, input.project);
    const checked = settingFromText(name, input.value);
    const problem = 'problem' in checked ? checked.problem : target.level === 'project' ? projectProblem(name, checked.value) : undefined;
    if ('problem' in checked || problem !== undefined) {
      throw new IngotError('usage', 'setting-invalid', `The value for ${name} ${problem?.message ?? 'is not accepted'}`, {
        ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
      });
    }
    const changed = await changeSetting(context.host, context.home, target, name, checked.value);
    const variable = variableOf(name);
    const overriddenBy = (context.host.env[variable] ?? '') === '' ? null : variable;
    if (overriddenBy !== null) context.events.message('warn', `${variable} is set in the environment and wins over the file`);
    return { name, value: shownValue(checked.value), file: target.file, changed, overriddenBy };
  },
  render: ({ name, value, file, changed }) => (changed ? `${name} is ${value} now, in ${file}` : `${name} is ${value} already, in ${file}`),
});
