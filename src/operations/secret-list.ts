import * as z from 'zod';
import { openSecrets, secretVariable } from '../base/secrets.ts';
import { formatAge } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'secret list',
  summary: 'List the names of the secrets, never their values',
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({
    secrets: z.array(
      z.strictObject({
        name: z.string(),
        set: z.string(),
        /** Seconds since then. */
        age: z.int(),
        variable: z.string(),
        /** Whether the environment gives a value that wins over the stored one. */
        overridden: z.boolean(),
      }),
    ),
  }),
  examples: [{ command: 'ingot secret list', does: 'what there is, and how old it is' }],
  async run(_input, context) {
    const now = context.host.clock.now().getTime();
    const secrets = await openSecrets(context).list();
    return {
      secrets: secrets.map(({ name, set }) => {
        const variable = secretVariable(name);
        const age = Math.max(0, Math.floor((now - (Date.parse(set) || now)) / 1000));
        return { name, set, age, variable, overridden: (context.host.env[variable] ?? '') !== '' };
      }),
    };
  },
  render({ secrets }, options) {
    if (secrets.length === 0) return 'There are no secrets. `ingot secret set NAME` stores one.';
    return renderTable(
      [{ title: 'NAME' }, { title: 'AGE' }, { title: 'USED' }],
      secrets.map(({ name, age, variable, overridden }) => [
        name,
        formatAge(age),
        overridden ? { text: `from ${variable}`, style: 'yellow' } : 'from the store',
      ]),
      options,
    );
  },
});
