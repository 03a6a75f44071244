import { readTextIfThere } from '../base/files.ts';
import { IngotError } from '../base/errors.ts';
import { quoteCommand } from '../base/process.ts';
import { openSecrets } from '../base/secrets.ts';
import { buildImages, type ImageBuild, type ImageResult } from '../build/build.ts';
import { imageGates } from '../build/image-gate.ts';
import { refuseGone } from '../build/gone.ts';
import { pruneAfterBuild } from '../build/prune-after.ts';
import { LOCK_HINT, parseLock, type Lock } from '../build/lock-file.ts';
import { prepareAll, type Prepared, type Request } from '../build/prepare.ts';
import type { NewJob } from '../queue/job.ts';
import type { BuildRecorder } from '../queue/recorder.ts';
import { childNamed } from '../template/child.ts';
import { commonSchema, type CommonFlags } from './build-input.ts';
import { lockFile } from './lock.ts';
import type { Context } from './operation.ts';

/** One image of a command, as it was asked for and as it is to be. */
export interface PreparedBuild {
  readonly request: Request;
  readonly prepared: Prepared;
}

/** Resolves and plans all images of a build; the parents of children are built first, where they are not there. Throws what is wrong with any of them, before anything is built. */
export async function prepareBuilds(context: Context, requests: readonly Request[], flags: CommonFlags): Promise<PreparedBuild[]> {
  if (requests.some(({ template }) => childNamed(template) !== undefined)) {
    const { buildMissingParents } = await import('./platform-child.ts');
    await buildMissingParents(context, requests, flags);
  }
  const lock = flags.frozen ? await readLock(context, requests[0]?.template) : undefined;
  const prepared = await prepareAll(context, requests, { ...flags, install: true, ...(lock === undefined ? {} : { lock }) });
  if (lock !== undefined && !flags.offline) await refuseGone(context, prepared);
  return requests.flatMap((request, i) => {
    const one = prepared[i];
    return one === undefined ? [] : [{ request, prepared: one }];
  });
}

/** What the queue keeps of an image to be built. */
export function jobOf(context: Context, request: Request, name: string, flags: CommonFlags): NewJob {
  return { name, request, flags: JSON.stringify(commonSchema.parse(flags)), folder: context.folder ?? '' };
}

export interface RunOptions {
  readonly flags: CommonFlags;
  readonly jobs: number | undefined;
  readonly debugShell: boolean;
  readonly recorder: Pick<BuildRecorder, 'observer' | 'times' | 'signalOf'>;
}

/** Builds what was prepared, and then prunes where the user set that. One result for each image, in the same order. */
export async function runBuilds(context: Context, builds: readonly PreparedBuild[], options: RunOptions): Promise<ImageResult[]> {
  const { flags, recorder } = options;
  const { settings } = context;
  const gateOf = imageGates(flags.gate ?? settings.gate ?? 'quick');
  const workspace = flags.workspace ?? (settings.workspace === 'auto' ? undefined : settings.workspace);
  const images = builds.map(({ request, prepared: { plan, archives } }, i): ImageBuild => {
    const signal = recorder.signalOf(i);
    const { outputs } = plan.template;
    return {
      plan,
      archives,
      tag: flags.tag ?? plan.template.version,
      gate: gateOf(plan.template.tests),
      shellCommand: quoteCommand([context.host.env['INGOT_COMMAND'] ?? 'ingot', 'build', ...wordsOf(request), '--debug-shell']),
      ...(signal === undefined ? {} : { signal }),
      ...(outputs.length === 0 ? {} : { finish: (own, image) => writeOutputs(own, outputs, image) }),
    };
  });
  const results = await buildImages(context, images, {
    jobs: options.jobs ?? settings.jobs,
    offline: flags.offline,
    debugShell: options.debugShell,
    secrets: openSecrets(context),
    workspace,
    beforeWork: async (arch, place) => {
      const { requireBuildHost } = await import('../build/host.ts');
      await requireBuildHost(context, arch, place);
    },
    times: recorder.times,
    observer: recorder.observer,
  });
  await pruneAfterBuild(context, results);
  return results;
}

async function writeOutputs(
  context: Context,
  outputs: Prepared['plan']['template']['outputs'],
  image: Parameters<NonNullable<ImageBuild['finish']>>[1],
): Promise<void> {
  const { events } = context;
  const { exportImage } = await import('../disk/export.ts');
  for (const { path, format } of outputs) {
    await events.stage(`write ${path}`, (span) =>
      exportImage(context, image, path, { format, force: true, onProgress: (percent, what) => span.progress(percent, 100, 'items', what ?? '%') }),
    );
  }
}

/** The words after `ingot build` that ask for the same image. */
function wordsOf(request: Request): string[] {
  const { template, variables, roles, packages, ...rest } = request;
  const flags = Object.entries(rest).flatMap(([name, value]) => (value === undefined || name === 'from' ? [] : [`--${name}`, value]));
  return [
    template,
    ...Object.entries(variables).flatMap(([name, value]) => ['--var', `${name}=${value}`]),
    ...roles.flatMap((role) => ['--role', role]),
    ...packages.flatMap((name) => ['--package', name]),
    ...flags,
  ];
}

/** The lock file beside the first template, else where the user is. Throws `lock-missing`. */
async function readLock(context: Context, template: string | undefined): Promise<Lock> {
  const file = await lockFile(context, template ?? '');
  const text = await readTextIfThere(context.host.files, file);
  if (text === undefined) throw new IngotError('not-found', 'lock-missing', `There is no ${file}`, { hint: LOCK_HINT });
  const { parse } = await import('yaml');
  const content: unknown = parse(text);
  return parseLock(content, file);
}
