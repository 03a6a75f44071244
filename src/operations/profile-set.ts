import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { profileSchema } from '../lab-images/profile.ts';
import { changeProfile } from '../lab-images/profiles.ts';
import { defineOperation } from './operation.ts';
import { namedProfileSchema, profileNameInput, profileText } from './profile-output.ts';

const { cpus, memory, disk, image, release } = profileSchema.shape;

export default defineOperation({
  name: 'profile set',
  summary: 'Make a profile of VMs, or change one',
  description: 'Changes what is given and keeps the rest, comments in profiles.yaml too. A built-in profile is changed for you alone.',
  kind: 'query',
  input: z.strictObject({
    name: profileNameInput,
    cpus,
    memory: memory.meta({ placeholder: 'SIZE' }),
    disk: disk.meta({ placeholder: 'SIZE' }),
    image: image.meta({ complete: 'image' }),
    release: release.meta({ complete: 'release' }),
    role: z
      .array(z.string().min(1))
      .default([])
      .describe('Roles that the image is to have, instead of those before; can be given again')
      .meta({ complete: 'role' }),
    unset: z.array(profileSchema.keyof()).default([]).describe('Takes something out; can be given again'),
  }),
  output: namedProfileSchema,
  examples: [
    { command: 'ingot profile set web --cpus 2 --memory 2GiB --role docker', does: 'for `ingot vm create --profile web`' },
    { command: 'ingot profile set web --unset memory', does: 'with the default memory again' },
  ],
  async run({ name, role, unset, ...given }, context) {
    const gone = Object.fromEntries(unset.map((key) => [key, undefined]));
    const said = Object.fromEntries(Object.entries({ ...given, roles: role.length > 0 ? role : undefined }).filter(([, value]) => value !== undefined));
    if (Object.keys(said).length + unset.length === 0) {
      throw new IngotError('usage', 'profile-empty', `Nothing is said of the profile ${name}`, {
        hint: 'Give at least one of --cpus, --memory, --disk, --image, --release, --role.',
      });
    }
    return await changeProfile(context, name, { ...said, ...gone });
  },
  render: ({ name, profile }) => `${name} is now ${profileText(profile)}`,
});
