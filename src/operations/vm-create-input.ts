import * as z from 'zod';
import { parseSize } from '../base/types.ts';
import { DEFAULT_MACHINE, LEAST_MEMORY, type Profile } from '../lab-images/profile.ts';
import { findProfile } from '../lab-images/profiles.ts';
import type { Context } from './operation.ts';
import { sizeInput } from './vm-input.ts';

/** The flags that say which image a VM gets, and how large it is: what a profile can say too. */
export const machineInput = {
  image: z
    .string()
    .min(1)
    .optional()
    .describe('Image to make it from: name, name:tag or name@sha256:…; default: one that fits --role and --release, built where there is none')
    .meta({ complete: 'image' }),
  role: z.array(z.string().min(1)).default([]).describe('The image is to have this role').meta({ complete: 'role' }),
  release: z.string().min(1).optional().describe('Release of the image; default: the setting default-release').meta({ complete: 'release' }),
  profile: z
    .string()
    .min(1)
    .optional()
    .describe('What the other flags do not say: small, medium, large or one of your own (`ingot profile list`)')
    .meta({ complete: 'profile' }),
  cpus: z.int().min(1).max(255).optional().describe(`Processors; default ${DEFAULT_MACHINE.cpus}`),
  memory: sizeInput(`Memory; default ${DEFAULT_MACHINE.memory}`, LEAST_MEMORY).optional(),
  disk: sizeInput("Size of the disk; default 10GiB, or the image's where that is more").optional(),
};

const machineSchema = z.object(machineInput);
export type MachineFlags = z.output<typeof machineSchema>;

/** What a VM is to be, with everything filled in but the image. */
export interface Machine {
  readonly image: string | undefined;
  /** As they were written. */
  readonly roles: readonly string[];
  readonly release: string | undefined;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes. */
  readonly disk: number | undefined;
}

/** The flags, and what a profile says where they say nothing. Throws `profile-unknown`, `profiles-invalid`. */
export async function machineOf(context: Pick<Context, 'host' | 'home'>, flags: MachineFlags): Promise<Machine> {
  return laidOver(flags, flags.profile === undefined ? {} : (await findProfile(context, flags.profile)).profile);
}

/** A flag wins over the profile. --image and --role say together which image it is, so one of them takes the place of both. */
export function laidOver(flags: MachineFlags, profile: Profile): Machine {
  const { image, roles } = flags.image === undefined && flags.role.length === 0 ? profile : { image: flags.image, roles: flags.role };
  const disk = profile.disk === undefined ? undefined : parseSize(profile.disk);
  return {
    image,
    roles: roles ?? [],
    release: flags.release ?? profile.release,
    cpus: flags.cpus ?? profile.cpus ?? DEFAULT_MACHINE.cpus,
    memory: flags.memory ?? parseSize(profile.memory ?? DEFAULT_MACHINE.memory),
    disk: flags.disk ?? disk,
  };
}
