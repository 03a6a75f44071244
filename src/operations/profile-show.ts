import * as z from 'zod';
import { findProfile } from '../lab-images/profiles.ts';
import { defineOperation } from './operation.ts';
import { namedProfileSchema, profileNameInput, profileText } from './profile-output.ts';

export default defineOperation({
  name: 'profile show',
  summary: 'Show what a profile says',
  kind: 'query',
  input: z.strictObject({ name: profileNameInput }),
  output: namedProfileSchema,
  examples: [{ command: 'ingot profile show small', does: 'the flags that the profile small stands for' }],
  run: (input, context) => findProfile(context, input.name),
  render: ({ profile }) => profileText(profile),
});
