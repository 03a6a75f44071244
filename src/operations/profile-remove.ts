import * as z from 'zod';
import { removeProfile } from '../lab-images/profiles.ts';
import { defineOperation } from './operation.ts';
import { profileNameInput } from './profile-output.ts';

export default defineOperation({
  name: 'profile remove',
  summary: 'Remove a profile of yours',
  description: 'VMs that were made with it stay as they are. Of a built-in profile that you changed, the built-in one holds again.',
  kind: 'query',
  input: z.strictObject({ name: profileNameInput }),
  output: z.strictObject({ name: z.string(), builtIn: z.boolean().describe('A built-in one of this name holds now') }),
  examples: [{ command: 'ingot profile remove web', does: 'the profile is gone from profiles.yaml' }],
  run: async ({ name }, context) => ({ name, ...(await removeProfile(context, name)) }),
  render: ({ name, builtIn }) => (builtIn ? `${name} is the built-in profile again` : `Removed the profile ${name}`),
});
