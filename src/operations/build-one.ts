import type { Context } from './operation.ts';
import type { CommonFlags } from './build-input.ts';

/** What is built where another command needs an image that is not there. */
export interface NeededBuild {
  /** What `ingot build` is given. */
  readonly template: string;
  readonly roles?: readonly string[];
  /** Default: none. */
  readonly flags?: CommonFlags;
}

/** Builds one image as `ingot build` does, as a job of its own. Throws what building throws, and `interrupted`. */
export async function buildOne(context: Context, { template, roles = [], flags: given }: NeededBuild): Promise<void> {
  const [{ IngotError }, { commonSchema }, { requestOf }, { BuildRecorder }, { jobOf, prepareBuilds, runBuilds }] = await Promise.all([
    import('../base/errors.ts'),
    import('./build-input.ts'),
    import('./request-input.ts'),
    import('../queue/recorder.ts'),
    import('./run-builds.ts'),
  ]);
  const flags = given ?? commonSchema.parse({});
  const builds = await prepareBuilds(context, [requestOf(template, { var: [], role: [...roles], package: [] })], flags);
  await using recorder = new BuildRecorder(context, {
    jobs: builds.map(({ request, prepared }) => jobOf(context, request, prepared.plan.template.name, flags)),
  });
  const [result] = await runBuilds(context, builds, { flags, jobs: undefined, debugShell: false, recorder });
  if (result?.status === 'failed') throw result.error;
  if (result === undefined || result.status === 'skipped') throw new IngotError('interrupted', 'interrupted', 'Stopped before the image was done');
}
