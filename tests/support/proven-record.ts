import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../../src/base/files.ts';
import { realHost } from '../../src/base/host.ts';
import type { CommandResult } from '../../src/base/process.ts';
import { hostPath } from '../../src/base/types.ts';
import { provenSchema, withRow, type ProvenRow } from '../../src/catalog/proven.ts';
import { builtImageSchema } from '../../src/operations/build-result.ts';

const FILE = join(import.meta.dirname, '..', '..', 'catalog', 'proven.json');

/**
 * Notes in catalog/proven.json what came of `ingot build … --json`, from which the tables of releases are made: built where there is an image or its gate has
 * refused it, booted where all checks of the gate have passed. A build that failed before, for want of a mirror say, tells nothing of a release.
 */
export async function recordProven(about: Omit<ProvenRow, 'built' | 'booted' | 'on'>, { exitCode, stdout, stderr }: CommandResult): Promise<void> {
  if (exitCode !== 0 && !stderr.includes('"code":"gate-failed"')) return;
  const host = realHost();
  const row: ProvenRow = { ...about, built: true, booted: exitCode === 0 && hasBooted(stdout), on: host.clock.now().toISOString().slice(0, 10) };
  const { rows } = provenSchema.parse(JSON.parse(await readFile(FILE, 'utf8')));
  const text = withRow(rows, row).map((each) => `  ${JSON.stringify(each)}`);
  await replaceFile(host.files, hostPath(FILE), `{ "v": 1, "rows": [\n${text.join(',\n')}\n] }\n`);
}

const imagesSchema = z.object({ images: z.array(builtImageSchema) });

function hasBooted(stdout: string): boolean {
  const gate = imagesSchema.parse(JSON.parse(stdout)).images[0]?.gate;
  return gate !== undefined && gate !== null && gate.result === 'passed' && gate.checks.length > 0 && gate.checks.every(({ result }) => result === 'passed');
}
