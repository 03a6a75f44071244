import * as z from 'zod';
import { parseSize } from '../base/types.ts';
import { nameText, sizeText } from '../template/text.ts';

/** Below that no Linux of the catalog starts. */
export const LEAST_MEMORY = 64 * 2 ** 20;

function isEnough(text: string): boolean {
  try {
    return parseSize(text) >= LEAST_MEMORY;
  } catch {
    return true; // told already: it is no size
  }
}

/** What a profile says of a VM; what it leaves out is what holds without it. */
export const profileSchema = z.strictObject({
  cpus: z.int().min(1).max(255).optional().describe('Processors'),
  memory: sizeText.refine(isEnough, 'is below 64 MiB').optional().describe('Memory'),
  disk: sizeText.optional().describe('Size of the disk'),
  image: z.string().min(1).optional().describe('Image, as --image names it'),
  release: z.string().min(1).optional().describe('Release, where an image is chosen'),
  roles: z.array(z.string().min(1)).min(1).optional().describe('Roles that the image is to have'),
});
export type Profile = z.output<typeof profileSchema>;

/** The user's own profiles by name: profiles.yaml in the home. */
export const profilesSchema = z.record(nameText, profileSchema);

/** Profiles that are always there. One of the user's with the same name stands in its place. */
export const BUILT_IN_PROFILES: Readonly<Record<string, Profile>> = {
  small: { cpus: 1, memory: '512MiB', disk: '10GiB' },
  medium: { cpus: 2, memory: '2GiB', disk: '20GiB' },
  large: { cpus: 4, memory: '8GiB', disk: '40GiB' },
};

/** What a VM has where neither a flag nor a profile says it. */
export const DEFAULT_MACHINE = { cpus: 2, memory: '1GiB' } as const;
