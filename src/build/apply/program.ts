import { IngotError } from '../../base/errors.ts';
import type { ProgramRecipe } from '../../plan/layers.ts';
import type { RunInRootOptions } from '../../workspace/guest-root.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { ApplyContext } from './apply.ts';
import { withNetwork } from './network.ts';
import { secretValues } from './secrets.ts';

/** Where a step's program is inside, for as long as it runs. */
const PROGRAM = '/tmp/ingot-step';
const SHELLS = { sh: ['/bin/sh', '-eu'], bash: ['/bin/bash', '-eu', '-o', 'pipefail'] } as const;

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

/** A failure of the user's program, told as such; anything else stays what it is. */
export function stepFailure(error: unknown, label: string, shellHint: string): unknown {
  if (!(error instanceof IngotError) || !['command-failed', 'command-timeout'].includes(error.code)) return error;
  const late = error.code === 'command-timeout';
  const what = late ? 'did not end in time' : 'failed';
  return new IngotError(late ? 'timeout' : 'command', late ? 'step-timeout' : 'step-failed', `The step "${label}" ${what}: ${error.message}`, {
    hint: shellHint,
    cause: error,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
}
