import { IngotError } from '../../base/errors.ts';
import type { LayerPlan, ProgramRecipe } from '../../plan/layers.ts';
import type { RunInRootOptions } from '../../workspace/guest-root.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { ApplyContext } from './apply.ts';
import { withNetwork } from './network.ts';
import { secretValues } from './secrets.ts';

/** Where a step's program is inside, for as long as it runs. */
const PROGRAM = '/tmp/ingot-step';
export const SHELLS = { sh: ['/bin/sh', '-eu'], bash: ['/bin/bash', '-eu', '-o', 'pipefail'] } as const;

type Program = Extract<ProgramRecipe['step'], { kind: 'run' | 'script' }>;

/** Runs a program of the user in the workspace. Throws `step-failed` with its last lines, `step-timeout`. */
export async function applyProgram(apply: ApplyContext, { root }: Workspace, step: Program): Promise<void> {
  const env = { ...step.env, ...(await secretEnvironment(apply, step)) };
  const program = await root.scratchFile('step', step.kind === 'run' ? Buffer.from(step.script).toString('base64') : step.content, '755', 'base64');
  const argv: readonly [string, ...string[]] = step.kind === 'run' ? [...SHELLS[step.shell], PROGRAM] : [PROGRAM, ...step.arguments];
  const options: RunInRootOptions = { env, timeout: step.timeout, readOnly: { [PROGRAM]: program } };
  if (step.network) await withNetwork(apply.place, root, () => root.run(argv, { ...options, network: true }));
  else await root.run(argv, options);
}

/** The environment variables that hold secrets. */
export async function secretEnvironment(apply: ApplyContext, step: Pick<Program, 'secrets'>): Promise<Record<string, string>> {
  const values = await secretValues(apply, Object.values(step.secrets));
  return Object.fromEntries(Object.keys(step.secrets).map((variable, i) => [variable, values[i] ?? '']));
}

/** What a layer's failure is called: the user's program failed, or one that ingot runs. Anything else stays what it is. */
export function layerFailure(error: unknown, layer: LayerPlan, hint: string): unknown {
  if (!(error instanceof IngotError) || !['command-failed', 'command-timeout'].includes(error.code)) return error;
  const what = 'step' in layer.recipe ? 'step' : 'layer';
  const options = { hint, cause: error, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  if (error.code === 'command-timeout')
    return new IngotError('timeout', `${what}-timeout`, `The ${what} "${layer.name}" did not end in time: ${error.message}`, options);
  return new IngotError('command', `${what}-failed`, `The ${what} "${layer.name}" failed: ${error.message}`, options);
}
