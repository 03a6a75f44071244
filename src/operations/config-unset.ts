import * as z from 'zod';
import { changeSetting } from '../base/settings-file.ts';
import { settingsSchema } from '../base/settings-schema.ts';
import { settingsTarget } from './config-place.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'config unset',
  summary: 'Take a setting out of your file, or of that of the project',
  description: 'What is below it holds then: the file of the user, else what is built in.',
  kind: 'query',
  mendsSettings: true,
  input: z.strictObject({
    name: settingsSchema.keyof().meta({ positional: true }).describe('Name of the setting'),
    project: z.boolean().default(false).describe('In the file of the project: the nearest ingot.settings.yaml upwards'),
  }),
  output: z.strictObject({ name: z.string(), file: z.string(), changed: z.boolean() }),
  examples: [{ command: 'ingot config unset mirror', does: "download from the host's own mirror again" }],
  async run(input, context) {
    const target = await settingsTarget(context, input.project);
    const changed = await changeSetting(context.host, context.home, target, input.name, undefined);
    return { name: input.name, file: target.file, changed };
  },
  render: ({ name, file, changed }) => (changed ? `${name} is no longer set in ${file}` : `${name} is not set in ${file}`),
});
