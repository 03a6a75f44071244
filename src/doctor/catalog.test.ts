import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { checkCatalog } from './catalog.ts';

async function said(lab: SampleLab, now: string): Promise<string[]> {
  const context = lab.context();
  const host = { ...context.host, clock: { ...context.host.clock, now: () => new Date(now) } };
  return (await checkCatalog({ ...context, host })).map(
    ({ name, state, found, remedy }) => `${name} ${state}: ${found}${state === 'ok' ? '' : ` → ${remedy}`}`,
  );
}

test('the catalog is counted, and releases past their end are named where images are of them', async () => {
  await using lab = await sampleLab();
  expect(await said(lab, '2026-01-01')).toEqual([expect.stringMatching(/^catalog ok: \d+ releases of \d+ distributions$/)]);
  expect(await said(lab, '2040-01-01')).toEqual([
    expect.stringMatching(/^catalog ok/),
    expect.stringMatching(/^debian-12 warning: no security updates since 20\d\d-\d\d-\d\d, and an image is of it: debian-12 → /),
  ]);
});

test("what is wrong in the user's own files is told with its place", async () => {
  await using lab = await sampleLab();
  const folder = join(lab.home.home.catalog, 'distros');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'mine.yaml'), 'distribution: mine\nreleases: 7\n');
  expect(await said(lab, '2026-01-01')).toEqual([expect.stringMatching(/^catalog missing: .*mine\.yaml:\d+ /)]);
});
