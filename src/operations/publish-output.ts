import * as z from 'zod';
import { EXIT_CODES, type ErrorClass, type IngotError } from '../base/errors.ts';
import { targetCheckSchema, type Platform, type PublishPlan } from '../platforms/platform.ts';
import type { FleetPlan, FleetRun } from '../publish/fleet.ts';
import type { RenderOptions } from './operation.ts';
import { renderTable, type Cell } from './table.ts';

const errorClasses = Object.keys(EXIT_CODES).filter((name): name is ErrorClass => name in EXIT_CODES);

/** A failure that is part of a result. */
export const errorSchema = z.strictObject({
  code: z.string(),
  class: z.enum(errorClasses),
  message: z.string(),
  hint: z.string().optional(),
  problems: z.array(z.string()).optional(),
});

const publishedSchema = z.strictObject({
  publication: z.string(),
  outcome: z.enum(['published', 'unchanged']),
  state: z.string(),
  places: z.array(z.strictObject({ place: z.string(), made: z.string(), child: z.string().optional(), checks: z.array(targetCheckSchema) })),
  removed: z.array(z.string()),
  kept: z.array(z.string()),
});

const planSchema = z.strictObject({ why: z.array(z.string()), warnings: z.array(z.string()), calls: z.array(z.string()) });

/** Of one image on one target, where there are several. */
const runSchema = z.strictObject({
  ...publishedSchema.partial({ publication: true, state: true }).shape,
  image: z.string(),
  target: z.string(),
  outcome: z.enum(['published', 'unchanged', 'failed', 'stopped']).describe('stopped: it was not begun any more'),
  error: errorSchema.optional().describe('Why it failed'),
});

/** One image on one target has a result of its own; several have one for each, in the order in which they were asked for. */
export const publishOutputSchema = z.union([
  publishedSchema,
  z.strictObject({ planned: planSchema }),
  z.strictObject({ runs: z.array(runSchema) }),
  z.strictObject({ plans: z.array(z.strictObject({ image: z.string(), target: z.string(), planned: planSchema.optional(), error: errorSchema.optional() })) }),
]);
export type PublishOutput = z.output<typeof publishOutputSchema>;
type RunOutput = z.output<typeof runSchema>;

/** A plan for scripts. */
export function planOutput(plan: PublishPlan): z.output<typeof planSchema> {
  return { why: plan.places.flatMap(({ why }) => [...why]), warnings: [...plan.warnings], calls: [...plan.calls] };
}

/** One image, of several, for scripts. */
export function runOutput({ publisher }: Platform, { image, target, outcome, publication, removed, kept, error }: FleetRun): RunOutput {
  return {
    image,
    target,
    outcome,
    ...(publication === undefined ? {} : { publication: publication.id, state: publication.state }),
    places: (publication?.places ?? []).map(({ id, facts, child, checks }) => ({
      place: id,
      made: publisher.describe({ facts }),
      ...(child === undefined ? {} : { child }),
      checks,
    })),
    removed: [...removed],
    kept: [...kept],
    ...(error === undefined ? {} : { error: errorOutput(error) }),
  };
}

/** One of several plans, for scripts. */
export function planOrError({ image, target, plan, error }: FleetPlan) {
  return { image, target, ...(plan === undefined ? {} : { planned: planOutput(plan) }), ...(error === undefined ? {} : { error: errorOutput(error) }) };
}

/** A failure for scripts. */
export function errorOutput({ code, class: kind, message, hint, problems = [] }: IngotError): z.output<typeof errorSchema> {
  return {
    code,
    class: kind,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(problems.length === 0 ? {} : { problems: problems.map((one) => (one.path === undefined ? one.message : `${one.path}: ${one.message}`)) }),
  };
}

/** The result for people. */
export function renderPublish(result: PublishOutput, options: RenderOptions): string {
  if ('planned' in result) return planText(result.planned);
  if ('runs' in result) return runsText(result.runs, options);
  if ('plans' in result) {
    return result.plans
      .map(({ image, target, planned, error }) => {
        const body =
          planned === undefined ? [`Cannot be published: ${error?.message ?? ''} (${error?.code ?? ''})`, ...hintLines(error)].join('\n') : planText(planned);
        return `${image} to ${target}\n${body.replaceAll(/^(?=.)/gm, '  ')}`;
      })
      .join('\n\n');
  }
  const { publication, outcome, state, places, removed, kept } = result;
  return [
    outcome === 'unchanged' ? `${publication} is there already, and ${state}` : `${publication} is ${state}`,
    ...places.map(({ made, child, checks }) => `  ${made}${child === undefined ? '' : `, of ${child}`}${checksText(checks)}`),
    ...oldText(removed, kept),
  ].join('\n');
}

/** The hint of a failure, below it. */
export function hintLines(error: z.output<typeof errorSchema> | undefined): string[] {
  return error?.hint === undefined ? [] : [`  hint: ${error.hint}`];
}

function planText({ why, warnings, calls }: z.output<typeof planSchema>): string {
  return [...why, ...warnings.map((text) => `Warning: ${text}`), '', 'Requests:', ...calls.map((call) => `  ${call}`)].join('\n');
}

function oldText(removed: readonly string[], kept: readonly string[]): string[] {
  return [...removed.map((id) => `Removed the old version ${id}`), ...kept.map((text) => `Kept ${text}`)];
}

function runsText(runs: readonly RunOutput[], options: RenderOptions): string {
  const styles = { published: 'green', unchanged: 'dim', failed: 'red', stopped: 'yellow' } as const;
  const rows = runs.map((run): Cell[] => {
    const checks = run.places.flatMap((place) => place.checks);
    const passed = checks.filter(({ result }) => result === 'passed').length;
    return [
      run.image,
      run.target,
      { text: run.outcome, style: styles[run.outcome] },
      run.state ?? '',
      run.places.map(({ place }) => place).join(' '),
      checks.length === 0 ? '' : `${passed} of ${checks.length}`,
    ];
  });
  const columns = [{ title: 'IMAGE' }, { title: 'TARGET' }, { title: 'RESULT' }, { title: 'STATE' }, { title: 'PLACES' }, { title: 'CHECKS PASSED' }];
  const reasons = runs.flatMap(({ image, target, error, removed, kept }) => [
    ...(error === undefined
      ? []
      : [`${image} on ${target}: ${error.message} (${error.code})`, ...(error.problems ?? []).map((text) => `  ${text}`), ...hintLines(error)]),
    ...oldText(removed, kept),
  ]);
  const counts = (['published', 'unchanged', 'failed', 'stopped'] as const).flatMap((outcome) => {
    const count = runs.filter((run) => run.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  return [renderTable(columns, rows, options), '', ...(reasons.length === 0 ? [] : [...reasons, '']), `${runs.length} publications: ${counts.join(', ')}`].join(
    '\n',
  );
}

function checksText(checks: readonly z.output<typeof targetCheckSchema>[]): string {
  const count = (result: string): number => checks.filter((check) => check.result === result).length;
  const notRun = count('not-run');
  return checks.length === 0 ? '' : `: ${count('passed')} of ${checks.length} checks passed${notRun > 0 ? `, ${notRun} not run` : ''}`;
}

/** The exit code of several: of being stopped, else that of the first failure. */
export function publishExitCode(result: PublishOutput): number {
  const ended: readonly { readonly outcome?: string; readonly error?: z.output<typeof errorSchema> | undefined }[] =
    'runs' in result ? result.runs : 'plans' in result ? result.plans : [];
  if (ended.some(({ outcome, error }) => outcome === 'stopped' || error?.class === 'interrupted')) return EXIT_CODES.interrupted;
  const failed = ended.find(({ error }) => error !== undefined)?.error;
  return failed === undefined ? 0 : EXIT_CODES[failed.class];
}
