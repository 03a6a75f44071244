import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { fetchMedium, mediumOf } from '../sources/installer/medium.ts';
import { chosenMedia, isoInput } from './iso-input.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'iso pull',
  summary: 'Fetch installers into the cache, and prove them',
  description:
    'Checked by checksum and, where the distribution signs, by signature, like cloud images; a download that was cut off goes on. A build fetches what it needs by itself.',
  kind: 'job',
  input: z.strictObject(isoInput),
  output: z.strictObject({
    media: z.array(
      z.strictObject({ release: z.string(), arch: z.string(), name: z.string(), path: z.string(), sha256: z.string(), size: z.int(), signed: z.boolean() }),
    ),
  }),
  examples: [
    { command: 'ingot iso pull debian-12', does: 'the netinst image of Debian 12' },
    { command: 'ingot iso pull almalinux-9 --arch arm64', does: 'for another architecture' },
  ],
  async run(input, context) {
    const chosen = await chosenMedia(context, input);
    // What cannot be had is told before anything is fetched.
    for (const { release, arch } of chosen) mediumOf(release, arch);
    const media = [];
    for (const { release, arch } of chosen) {
      const { path, record } = await fetchMedium(context, release, arch, { offline: false });
      media.push({ release: release.id, arch, name: record.name, path, sha256: record.sha256, size: record.size, signed: record.vouched });
    }
    return { media };
  },
  render: ({ media }) =>
    media
      .map(({ release, name, size, signed, path }) => `${release}  ${name}, ${formatSize(size)}${signed ? ', signed' : ', by its checksum alone'}\n  ${path}`)
      .join('\n'),
});
