import { quoteCommand } from '../../base/process.ts';
import type { ProgramRecipe } from '../../plan/layers.ts';
import { SHELLS } from './program.ts';

type Program = Exclude<ProgramRecipe['step'], { kind: 'ansible' }>;

/**
 * The script that runs a step's program where ingot is logged in: given to `sh` as standard input, since no other process of the host or the
 * guest may see the environment as an argument. `folder` is one in memory from which programs may run.
 */
export function programScript(step: Program, env: Readonly<Record<string, string>>, folder: string): string {
  const program = `${folder}/step`;
  const content = step.kind === 'run' ? Buffer.from(step.script).toString('base64') : step.content;
  const argv = step.kind === 'run' ? [...SHELLS[step.shell], program] : [program, ...step.arguments];
  return [
    `base64 -d >${program} <<'INGOT_END'`,
    content,
    'INGOT_END',
    `chmod 755 ${program}`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoteCommand([value])}`),
    'cd /; umask 022',
    `exec ${quoteCommand(argv)} </dev/null`,
    '',
  ].join('\n');
}
