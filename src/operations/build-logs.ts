import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { buildLogs } from '../build/build-log.ts';
import { followBuildLog } from '../build/read-log.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'build logs',
  summary: 'Show what the builds of an image did and printed',
  description:
    'The events and the output of everything that the image waited for: layers that it shares with others included, and its gate. Where it failed, the step that failed comes last, with its last lines. A template that is called logs is built with its path: ingot build ./logs.yaml.',
  kind: 'stream',
  input: z.object({
    name: z.string().min(1).describe("The image's name").meta({ positional: true, complete: 'image' }),
    follow: z.boolean().default(false).describe('Go on with what is added, until the build ends').meta({ short: 'f' }),
    previous: z.int().min(0).default(0).describe('So many builds before the last one').meta({ short: 'p', placeholder: 'COUNT' }),
    layer: z.string().optional().describe('Only the layer of this name, or a word in it').meta({ short: 'l' }),
  }),
  output: z.object({}),
  examples: [
    { command: 'ingot build logs web', does: 'the log of the last build of web' },
    { command: 'ingot build logs web --follow', does: 'the same while it is built' },
    { command: 'ingot build logs web --previous 1 --layer nginx', does: 'one layer of the build before' },
  ],
  async run(input, context) {
    const { host, home, signal } = context;
    const logs = await buildLogs(host, home, input.name);
    const path = logs[input.previous];
    if (path === undefined) {
      const names = await host.files.list(home.buildLogs);
      const near = nearest(input.name, names);
      const several = logs.length > 0 ? `There are ${logs.length} logs of it.` : undefined;
      throw new IngotError(
        'not-found',
        'build-log-missing',
        logs.length > 0 ? `There is no log of a build of ${input.name} that long ago` : `There is no log of a build of ${input.name}`,
        {
          hint: several ?? (near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'Only builds that had something to do have a log.'),
        },
      );
    }
    await followBuildLog(host, path, { layer: input.layer, ...(input.follow ? { goOn: () => !signal.aborted } : {}), signal }, (text) => context.write(text));
    return {};
  },
  render: () => '',
});
