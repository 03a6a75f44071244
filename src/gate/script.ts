import { toIngotError } from '../base/errors.ts';
import type { GateStatement } from '../store/model.ts';
import type { GateCheck } from './check.ts';

export type CheckResult = GateStatement['checks'][number];

/** Between the answers of two checks: a character that no finding holds. */
const SEPARATOR = '\u001e';

/** A word of shell that stands for exactly this text. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** One script that runs all checks, so that a guest under emulation is logged in to once. Each check gets a shell of its own. */
export function combinedScript(checks: readonly Pick<GateCheck, 'name' | 'script'>[], facts: Readonly<Record<string, string>>): string {
  const exports = Object.entries(facts).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  const parts = checks.map((check) => `printf '\\036%s\\n' ${shellWord(check.name)}\n(\n${check.script.trim()}\n) 2>&1\n`);
  return [...exports, ...parts, `printf '\\036end\\n'`, ''].join('\n');
}

/** What each check found; one that is missing from the output, since the script was cut short, has not run. */
export function readAnswers(checks: readonly Pick<GateCheck, 'name'>[], output: string): CheckResult[] {
  const answers = new Map(
    output
      .split(SEPARATOR)
      .slice(1)
      .map((part): [string, string] => {
        const end = part.indexOf('\n');
        return [part.slice(0, end), part.slice(end + 1).trim()];
      }),
  );
  const complete = answers.has('end');
  return checks.map(({ name }, i) => {
    const found = answers.get(name);
    const cut = !complete && checks[i + 1] !== undefined && !answers.has(checks[i + 1]?.name ?? '');
    if (found === undefined || cut) return { name, result: 'not-run', detail: 'the checks were cut short' };
    return found === '' ? { name, result: 'passed' } : { name, result: 'failed', detail: found };
  });
}

/** A failure of the guest as a check's result: an image that does not boot has failed, and the reason is the evidence. */
export function failedBoot(error: unknown): CheckResult {
  const cause = toIngotError(error);
  return { name: 'boot', result: 'failed', detail: [cause.message, cause.detail].filter((text) => text !== undefined).join('\n') };
}
