import * as z from 'zod';
import { explainSettings, readLevels } from '../base/settings-levels.ts';
import { settingsInvalid } from '../base/settings-values.ts';
import { variableOf } from '../base/settings-schema.ts';
import { shownValue } from '../base/settings.ts';
import { defineOperation } from './operation.ts';
import { renderTable, styled } from './table.ts';

const settingOutput = z.strictObject({
  name: z.string(),
  /** Null where nothing is set and nothing is built in. */
  value: z.string().nullable(),
  origin: z.enum(['environment', 'project', 'user', 'built-in']),
  /** The file or the variable that set it. */
  where: z.string().nullable(),
  default: z.string().nullable(),
  variable: z.string(),
  description: z.string(),
});

export default defineOperation({
  name: 'config list',
  summary: 'List the settings: value, origin, default and meaning',
  description:
    'A flag is above the environment (INGOT_<NAME>), that above the file of the project (ingot.settings.yaml in the working directory or above), that above your own file, and that above what is built in. Of an address, user, password and query are shown as ***.',
  kind: 'query',
  mendsSettings: true,
  input: z.strictObject({}),
  output: z.strictObject({ settings: z.array(settingOutput) }),
  examples: [{ command: 'ingot config list', does: 'every setting, and why it is what it is' }],
  async run(_input, context) {
    const levels = await readLevels(context);
    const problems = levels.flatMap((level) => level.problems);
    if (problems.length > 0) throw settingsInvalid(problems);
    return {
      settings: explainSettings(levels, context).map((state) => ({
        ...state,
        value: state.value === undefined ? null : shownValue(state.value),
        default: state.default === undefined ? null : String(state.default),
        where: state.where ?? null,
        variable: variableOf(state.name),
      })),
    };
  },
  render({ settings }, options) {
    const table = renderTable(
      [{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM' }, { title: 'DEFAULT' }],
      settings.map(({ name, value, origin, where, default: builtIn }) => [
        name,
        value ?? { text: '-', style: 'dim' },
        origin === 'environment' ? (where ?? '') : origin === 'built-in' ? { text: origin, style: 'dim' } : origin,
        { text: builtIn ?? '-', style: 'dim' },
      ]),
      options,
    );
    const [heading = '', ...rows] = table.split('\n');
    const files = new Set(settings.flatMap(({ origin, where }) => (origin === 'user' || origin === 'project' ? [`${origin}: ${where}`] : [])));
    const described = rows.flatMap((row, index) => [row, styled(`  ${settings[index]?.description ?? ''}`, 'dim', options)]);
    return [heading, ...described, ...(files.size === 0 ? [] : ['']), ...files].join('\n');
  },
});
