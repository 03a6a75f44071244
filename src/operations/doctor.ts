import * as z from 'zod';
import { EXIT_CODES } from '../base/errors.ts';
import { checkAccelerator } from '../doctor/accelerator.ts';
import { checkHost, checkTools, findingSchema, type Finding } from '../doctor/checks.ts';
import { defineOperation, type RenderOptions } from './operation.ts';

const output = z.object({
  /** Whether nothing is missing. */
  ready: z.boolean(),
  host: z.array(findingSchema),
  tools: z.array(findingSchema),
});

export default defineOperation({
  name: 'doctor',
  summary: 'Show what this host can do, and how to mend what it cannot',
  description: 'The accelerator is proven by running a guest for a moment. Each problem comes with its remedy. Exit code 5 where something needed is missing.',
  kind: 'query',
  input: z.strictObject({}),
  output,
  examples: [
    { command: 'ingot doctor', does: 'look at everything' },
    { command: 'ingot doctor --json', does: 'the same for a script' },
  ],
  async run(_input, context) {
    const [host, accelerator, tools] = await Promise.all([checkHost(context), checkAccelerator(context), checkTools(context.host)]);
    const findings = [...host, accelerator];
    return { ready: [...findings, ...tools].every((finding) => finding.state !== 'missing'), host: findings, tools };
  },
  exitCode: ({ ready }) => (ready ? 0 : EXIT_CODES.host),
  render(result, options) {
    const all = [...result.host, ...result.tools];
    const column = Math.max(...all.map((finding) => finding.name.length)) + 4;
    const section = (title: string, findings: readonly Finding[]): string[] => [title, ...findings.flatMap((finding) => lines(finding, column, options)), ''];
    const missing = all.filter((finding) => finding.state === 'missing').length;
    const end = missing === 0 ? 'Everything that ingot needs is there.' : `${missing} missing. \`ingot setup\` installs the tools.`;
    return [...section('Host', result.host), ...section('Tools', result.tools), end].join('\n');
  },
});

function lines(finding: Finding, column: number, options: RenderOptions): string[] {
  const color = { ok: 32, warning: 33, missing: 31 }[finding.state];
  const mark = { ok: '✔', warning: '!', missing: '✘' }[finding.state];
  const shown = options.color ? `\u001B[${color}m${mark}\u001B[39m` : mark;
  const text = finding.purpose === undefined ? finding.found : `${finding.found}  (${finding.purpose})`;
  const head = `${shown} ${finding.name.padEnd(column - 2)}${text}`;
  return finding.remedy === undefined ? [head] : [head, `${' '.repeat(column)}→ ${finding.remedy}`];
}
