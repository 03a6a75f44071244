import * as z from 'zod';
import { openSecrets } from '../base/secrets.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'secret remove',
  summary: 'Remove a secret from the store',
  description: 'What was built with it stays as it is.',
  kind: 'query',
  input: z.strictObject({ name: z.string().meta({ positional: true }).describe('Name of the secret') }),
  output: z.strictObject({ name: z.string() }),
  examples: [{ command: 'ingot secret remove registry-token', does: 'forget it' }],
  async run({ name }, context) {
    await openSecrets(context).remove(name);
    return { name };
  },
  render: ({ name }) => `${name} is removed`,
});
