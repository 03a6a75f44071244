import * as z from 'zod';
import { listProfiles } from '../lab-images/profiles.ts';
import { defineOperation } from './operation.ts';
import { namedProfileSchema } from './profile-output.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'profile list',
  summary: 'List the profiles of VMs',
  description: 'A profile says processors, memory, disk, and which image. Yours are in profiles.yaml in the home.',
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({ profiles: z.array(namedProfileSchema) }),
  examples: [{ command: 'ingot profile list', does: 'every profile, and what it says' }],
  async run(_input, context) {
    return { profiles: await listProfiles(context) };
  },
  render: ({ profiles }, options) =>
    renderTable(
      [
        { title: 'PROFILE' },
        { title: 'CPUS', right: true },
        { title: 'MEMORY', right: true },
        { title: 'DISK', right: true },
        { title: 'IMAGE' },
        { title: 'FROM' },
      ],
      profiles.map(({ name, origin, profile }) => [
        name,
        String(profile.cpus ?? '-'),
        profile.memory ?? '-',
        profile.disk ?? '-',
        profile.image ?? [profile.release ?? '', ...(profile.roles ?? []).map((role) => `role ${role}`)].filter((text) => text !== '').join(', '),
        origin,
      ]),
      options,
    ),
});
