import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { buildInput, jobsInput } from './build-input.ts';
import { BuildRecorder } from '../queue/recorder.ts';
import { builtImage, builtImageSchema, exitCodeOf, renderImage, renderImages } from './build-result.ts';
import { defineOperation } from './operation.ts';
import { templatesPosition } from './request-input.ts';
import { requestsOf } from './requests.ts';
import { jobOf, prepareBuilds, runBuilds } from './run-builds.ts';

export default defineOperation({
  name: 'build',
  summary: 'Build images, prove them by booting them, and store them',
  description:
    'Makes the layers that are not cached, puts each image together, boots it on a throw-away copy and checks it from inside (the gate), and only then moves its tags: latest, and one that never moves again. Several images are built at the same time; a layer that they share is made once, and one that fails stops no other. What it needs of the host and does not find is named and installed after you agree.',
  kind: 'job',
  input: z.object({
    ...templatesPosition,
    ...buildInput,
    ...jobsInput,
    debugShell: z.boolean().default(false).describe('Open a shell in the workspace where a step failed'),
  }),
  output: z.object({ images: z.array(builtImageSchema), seconds: z.number() }),
  examples: [
    { command: 'ingot build debian-12 --yes', does: 'a Debian 12 image; missing host tools are installed without asking' },
    { command: 'ingot build web.yaml db.yaml', does: 'the images of two templates at the same time, on shared layers' },
    { command: 'ingot build debian-13 --filesystem btrfs --size 8GiB', does: 'another file system and disk size' },
    { command: 'ingot build debian-12 --offline --no-gate', does: 'from what is cached, without booting it' },
  ],
  async run(input, context) {
    const start = context.host.clock.monotonic();
    const builds = await prepareBuilds(context, await requestsOf(context, input.templates, input), input);
    await using recorder = new BuildRecorder(context, {
      jobs: builds.map(({ request, prepared }) => jobOf(context, request, prepared.plan.template.name, input)),
    });
    const results = await runBuilds(context, builds, { flags: input, jobs: input.jobs, debugShell: input.debugShell, recorder });
    const [only] = results;
    // One image that is not there is an error like any other; of several, each has its own result.
    if (results.length === 1 && only?.status === 'failed') throw only.error;
    if (results.length === 1 && only?.status === 'skipped') throw new IngotError('interrupted', 'interrupted', 'Stopped before it was done');
    const images = builds.flatMap((build, i) => {
      const result = results[i];
      return result === undefined ? [] : [builtImage(build, result)];
    });
    return { images, seconds: (context.host.clock.monotonic() - start) / 1000 };
  },
  render({ images, seconds }, options) {
    const [only] = images;
    return images.length === 1 && only !== undefined ? renderImage(only, seconds) : renderImages(images, seconds, options);
  },
  exitCode: ({ images }) => exitCodeOf(images),
});
