import * as z from 'zod';
import { explainSettings, readLevels } from '../base/settings-levels.ts';
import { settingsSchema } from '../base/settings-schema.ts';
import { settingsInvalid } from '../base/settings-values.ts';
import { shownValue } from '../base/settings.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'config get',
  summary: 'Print one setting',
  description: 'Prints nothing where it is not set. Of an address, user, password and query are printed as ***, and a warning says where it stands in full.',
  kind: 'query',
  mendsSettings: true,
  input: z.strictObject({ name: settingsSchema.keyof().meta({ positional: true }).describe('Name of the setting') }),
  output: z.strictObject({ name: z.string(), value: z.string().nullable(), origin: z.string(), where: z.string().nullable() }),
  examples: [{ command: 'ingot config get gate', does: 'what a build has to pass' }],
  async run(input, context) {
    const { name } = input;
    const levels = await readLevels(context);
    const problems = levels.flatMap((level) => level.problems);
    if (problems.length > 0) throw settingsInvalid(problems);
    const state = explainSettings(levels, context).find((candidate) => candidate.name === name);
    const value = state?.value === undefined ? null : shownValue(state.value);
    if (value !== null && value !== String(state?.value)) {
      context.events.message('warn', `What gives access to ${name} is shown as ***; in full it stands in ${state?.where ?? 'the environment'}`);
    }
    return { name, value, origin: state?.origin ?? 'built-in', where: state?.where ?? null };
  },
  render: ({ value }) => value ?? '',
});
