import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { hasEnded } from '../catalog/release-facts.ts';
import { listMedia } from '../sources/installer/medium.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'iso list',
  summary: 'List the installers that the catalog knows, and those in the cache',
  description:
    'A template installs from one with `from: { release: …, source: installer }`. What is behind a login has to be downloaded by you, and is used as a file: `from: { iso: … }`.',
  kind: 'query',
  input: z.strictObject({
    search: z.string().min(1).optional().meta({ positional: true, placeholder: 'TEXT' }).describe('Only releases whose name contains this text'),
    cached: z.boolean().default(false).describe('Only those that are in the cache'),
  }),
  output: z.strictObject({
    media: z.array(
      z.strictObject({
        release: z.string(),
        arch: z.string(),
        /** How the installer is told what to do. */
        method: z.string(),
        url: z.string(),
        /** Whose login it is behind; null where everybody can have it. */
        login: z.string().nullable(),
        /** Whether the last day of the release's support is over. */
        ended: z.boolean(),
        cached: z.strictObject({ path: z.string(), sha256: z.string(), size: z.int(), vouched: z.boolean(), fetched: z.string() }).nullable(),
      }),
    ),
  }),
  examples: [
    { command: 'ingot iso list', does: 'every installer' },
    { command: 'ingot iso list debian', does: 'those of Debian' },
    { command: 'ingot iso list --cached', does: 'what takes room in the cache' },
  ],
  async run(input, context) {
    const search = input.search?.toLowerCase();
    const now = context.host.clock.now();
    const listed = (await listMedia(context)).filter(
      ({ release, cached }) => (search === undefined || release.id.includes(search)) && (!input.cached || cached !== undefined),
    );
    return {
      media: listed.map(({ release, arch, method, url, login, cached }) => {
        const { sha256, size, vouched, fetched } = cached?.record ?? { sha256: '', size: 0, vouched: false, fetched: '' };
        return {
          release: release.id,
          arch,
          method,
          url,
          login: login ?? null,
          ended: hasEnded(release, now),
          cached: cached === undefined ? null : { path: cached.path, sha256, size, vouched, fetched },
        };
      }),
    };
  },
  render({ media }, options) {
    if (media.length === 0) return 'There are none. `ingot iso list` shows all that the catalog knows, `ingot iso pull RELEASE` fetches one.';
    return renderTable(
      [{ title: 'RELEASE' }, { title: 'ARCHITECTURE' }, { title: 'ANSWERS' }, { title: 'CACHED', right: true }, { title: 'FROM', shrink: true }],
      media.map(({ release, arch, method, url, login, cached }) => [
        release,
        arch,
        method === 'interactive' ? { text: 'asks', style: 'dim' } : method,
        cached === null ? '' : formatSize(cached.size),
        login === null ? { text: url, style: 'dim' } : { text: `file of yours, from ${url}`, style: 'yellow' },
      ]),
      options,
    );
  },
});
