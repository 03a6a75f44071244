import * as z from 'zod';
import { profileSchema, type Profile } from '../lab-images/profile.ts';

/** The name of a profile that is there, given by position. */
export const profileNameInput = z.string().min(1).describe("The profile's name").meta({ positional: true, complete: 'profile' });

/** A profile for scripts. */
export const namedProfileSchema = z.strictObject({
  name: z.string(),
  origin: z.enum(['built-in', 'own', 'changed']).describe('changed: one of yours in the place of a built-in one'),
  profile: profileSchema,
});

/** What it says, in one line: as the flags that say the same. */
export function profileText({ cpus, memory, disk, image, release, roles }: Profile): string {
  const single = Object.entries({ cpus, memory, disk, image, release }).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag} ${value}`]));
  return [...single, ...(roles ?? []).map((role) => `--role ${role}`)].join(' ');
}
