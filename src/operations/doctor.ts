import * as z from 'zod';
import { EXIT_CODES } from '../base/errors.ts';
import { checkAccelerator } from '../doctor/accelerator.ts';
import { checkCatalog } from '../doctor/catalog.ts';
import { checkHost, checkTools, findingSchema, type Finding } from '../doctor/checks.ts';
import { checkLab } from '../doctor/lab.ts';
import { defineOperation, type RenderOptions } from './operation.ts';

const output = z.object({
  /** Whether this host lacks nothing. */
  ready: z.boolean(),
  /** Whether the catalog, images and VMs lack nothing. */
  consistent: z.boolean(),
  host: z.array(findingSchema),
  tools: z.array(findingSchema),
  /** Whether it loads, and releases past their end that are in use. */
  catalog: z.array(findingSchema),
  /** Images, VMs, and what was left over. */
  lab: z.array(findingSchema),
});

export default defineOperation({
  name: 'doctor',
  summary: 'Show what this host can do and whether images and VMs are whole, and how to mend what is not',
  description:
    'The accelerator is proven by running a guest for a moment. Of images and VMs, files are looked for; `ingot image verify` reads them too. Each problem comes with its remedy. Exit code 5 where the host lacks something needed, 7 where an image or a VM does.',
  kind: 'query',
  input: z.strictObject({}),
  output,
  examples: [
    { command: 'ingot doctor', does: 'look at everything' },
    { command: 'ingot doctor --json', does: 'the same for a script' },
  ],
  async run(_input, context) {
    const [host, accelerator, tools, catalog, lab] = await Promise.all([
      checkHost(context),
      checkAccelerator(context),
      checkTools(context.host),
      checkCatalog(context),
      checkLab(context),
    ]);
    const findings = [...host, accelerator];
    return { ready: nothingMissing([...findings, ...tools]), consistent: nothingMissing([...catalog, ...lab]), host: findings, tools, catalog, lab };
  },
  exitCode: ({ ready, consistent }) => (!ready ? EXIT_CODES.host : consistent ? 0 : EXIT_CODES.verification),
  render(result, options) {
    const all = [...result.host, ...result.tools, ...result.catalog, ...result.lab];
    const column = Math.max(...all.map((finding) => finding.name.length)) + 4;
    const section = (title: string, findings: readonly Finding[]): string[] => [title, ...findings.flatMap((finding) => lines(finding, column, options)), ''];
    const missing = (findings: readonly Finding[]): number => findings.filter((finding) => finding.state === 'missing').length;
    const lacks = missing([...result.host, ...result.tools]);
    const end = [
      lacks === 0 ? 'Everything that ingot needs is there.' : `${lacks} missing. \`ingot setup\` installs the tools.`,
      ...(result.consistent ? [] : [`${missing([...result.catalog, ...result.lab])} wrong with the catalog, images and VMs.`]),
    ].join(' ');
    return [
      ...section('Host', result.host),
      ...section('Tools', result.tools),
      ...section('Catalog', result.catalog),
      ...section('Images and VMs', result.lab),
      end,
    ].join('\n');
  },
});

function nothingMissing(findings: readonly Finding[]): boolean {
  return findings.every(({ state }) => state !== 'missing');
}

function lines(finding: Finding, column: number, options: RenderOptions): string[] {
  const color = { ok: 32, warning: 33, missing: 31 }[finding.state];
  const mark = { ok: '✔', warning: '!', missing: '✘' }[finding.state];
  const shown = options.color ? `\u001B[${color}m${mark}\u001B[39m` : mark;
  const text = finding.purpose === undefined ? finding.found : `${finding.found}  (${finding.purpose})`;
  const head = `${shown} ${finding.name.padEnd(column - 2)}${text}`;
  return finding.remedy === undefined ? [head] : [head, `${' '.repeat(column)}→ ${finding.remedy}`];
}
