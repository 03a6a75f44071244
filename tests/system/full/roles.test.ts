import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { replaceFile } from '../../../src/base/files.ts';
import { realHost } from '../../../src/base/host.ts';
import { homeAt } from '../../../src/base/home.ts';
import type { CommandResult } from '../../../src/base/process.ts';
import { hostPath } from '../../../src/base/types.ts';
import { readCatalogFolder } from '../../../src/catalog/folder.ts';
import { roleHash, testedSchema, type TestedRow } from '../../../src/catalog/tested.ts';
import { builtImageSchema } from '../../../src/operations/build-result.ts';
import { keySchema, layerRecordSchema, type GateStatement, type LayerRecord } from '../../../src/store/model.ts';
import { standIn, type StandIn } from '../../support/stand-in.ts';
import { DEFAULT_RELEASES, type RoleCase } from '../roles/case.ts';
import { allCases } from '../roles/cases.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Every role on every release: built, booted, and its tests run in the guest. What came of it is written to the role's tested.json, from which the tables
 * are made. INGOT_ROLES and INGOT_RELEASES name some, with commas; INGOT_TEST_HOME keeps the home, with its base images.
 */

const CATALOG = join(import.meta.dirname, '..', '..', '..', 'catalog', 'roles');

const chosen = (name: string): ((text: string) => boolean) => {
  const list = process.env[name]?.split(',');
  return (text) => list === undefined || list.includes(text);
};
const releaseChosen = chosen('INGOT_RELEASES');
const roleChosen = chosen('INGOT_ROLES');
const cases = (await allCases()).filter(({ role }) => roleChosen(role));
const rows = cases.flatMap((one) =>
  (one.releases ?? DEFAULT_RELEASES).filter(releaseChosen).map((release) => [one.role, one.variant ?? 'default', release, one] as const),
);

describe.skipIf(whyNot() !== undefined)(`roles in booted images${whyNot() === undefined ? '' : ` (skipped: ${whyNot()})`}`, () => {
  let home: TestHome;
  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
  });
  afterAll(async () => {
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  test.each(rows)('%s (%s) on %s', async (role, variant, release, one) => {
    const { row, report } = await run(home, release, one);
    await record(role, row);
    expect(report, `${role} (${variant}) on ${release}`).toEqual([]);
  });
});

/** Builds the case's image and lets the gate boot it; what is wrong is the report. */
async function run(home: TestHome, release: string, one: RoleCase): Promise<{ row: TestedRow; report: string[] }> {
  await using served = one.standIn === undefined ? undefined : await standIn(one.standIn);
  const variant = one.variant ?? 'default';
  const file = join(home.root, `${one.role}-${variant}-${release}.yaml`);
  await writeFile(file, JSON.stringify(templateOf(one, release, served), undefined, 2));
  // Before the build: what is changed meanwhile is not what was tested.
  const hash = roleHash((await readCatalogFolder()).roles[one.role] ?? {});
  const build = await home.ingot(['build', file, '--gate', 'quick', '--json'], { timeout: 3000 });
  const { checks, error } = outcomeOf(build);
  const layer = await layerOf(home, file, one.role);
  const ours = checks.filter(({ name }) => name.startsWith('role ') || name.startsWith('test: '));
  const failed = checks.filter(({ result }) => result === 'failed');
  const row: TestedRow = {
    release,
    variant,
    standIn: served !== undefined,
    built: layer !== undefined,
    booted: checks.length > 0,
    passed: ours.filter(({ result }) => result === 'passed').length,
    failed: failed.map(({ name }) => name),
    bytes: layer?.size ?? 0,
    seconds: Math.round((layer?.seconds ?? 0) * 10) / 10,
    role: hash,
  };
  const report = failed.map(({ name, detail = '' }) => `${name}: ${detail}`);
  return { row, report: build.exitCode === 0 || report.length > 0 ? report : [error] };
}

const imagesSchema = z.object({ images: z.array(builtImageSchema) });
const errorSchema = z.object({ error: z.object({ code: z.string(), problems: z.array(z.object({ path: z.string(), message: z.string() })).default([]) }) });

type Check = Pick<GateStatement['checks'][number], 'name' | 'result' | 'detail'>;

/** What the gate found: all of its checks, or of an image that failed those that did. */
function outcomeOf({ exitCode, stdout, stderr }: CommandResult): { readonly checks: readonly Check[]; readonly error: string } {
  if (exitCode === 0) return { checks: imagesSchema.parse(JSON.parse(stdout)).images[0]?.gate?.checks ?? [], error: '' };
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  const error = line.startsWith('{"error"') ? errorSchema.parse(JSON.parse(line)).error : undefined;
  const failed = error?.code === 'gate-failed' ? error.problems : [];
  return { checks: failed.map(({ path, message }) => ({ name: path, result: 'failed', detail: message })), error: stderr.slice(-4000) };
}

/** What the layer cache knows of the role's layer; undefined where it was not made. */
async function layerOf(home: TestHome, file: string, role: string): Promise<LayerRecord | undefined> {
  const plan = await home.ingot(['plan', file, '--offline', '--json']);
  if (plan.exitCode !== 0) return undefined;
  const { images } = z
    .object({ images: z.array(z.object({ layers: z.array(z.object({ name: z.string(), key: keySchema })) })) })
    .parse(JSON.parse(plan.stdout));
  const key = images[0]?.layers.find(({ name }) => name === role)?.key;
  const text = key === undefined ? undefined : await readFile(homeAt(home.root).layer(key), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : layerRecordSchema.parse(JSON.parse(text));
}

function templateOf(one: RoleCase, release: string, served: StandIn | undefined): object {
  const { system, ...more } = { system: {}, ...one.template };
  const repositories = served === undefined ? {} : { repositories: served.repositories };
  return {
    from: release,
    disk: { size: '8GiB' },
    roles: [...(one.with ?? []), { [one.role]: { ...one.parameters, ...(served === undefined ? {} : one.served?.(served).parameters) } }],
    ...more,
    system: { ...(typeof system === 'object' ? system : {}), ...repositories },
  };
}

/** Puts the row in the place of what was known of this release and variant. */
async function record(role: string, row: TestedRow): Promise<void> {
  const path = join(CATALOG, role, 'tested.json');
  const known = await readFile(path, 'utf8').then(
    (text) => testedSchema.parse(JSON.parse(text)).rows,
    () => [],
  );
  const others = known.filter(({ release, variant }) => release !== row.release || variant !== row.variant);
  const all = [...others, row].toSorted((a, b) => (`${a.variant} ${a.release}` < `${b.variant} ${b.release}` ? -1 : 1));
  await replaceFile(realHost().files, hostPath(path), `${JSON.stringify({ v: 1, rows: all }, undefined, 2)}\n`);
}
