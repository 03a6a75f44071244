import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Events } from '../base/events.ts';
import { builtInSettings } from '../base/settings.ts';
import { putSampleImage, sampleGate, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import exportOperation from './image-export.ts';
import listOperation from './image-list.ts';
import pruneOperation from './image-prune.ts';
import removeOperation from './image-remove.ts';
import showOperation from './image-show.ts';
import tagOperation from './image-tag.ts';
import { formatAge } from './image-text.ts';
import verifyOperation from './image-verify.ts';
import type { Context, Operation } from './operation.ts';
import { renderTable } from './table.ts';
import * as z from 'zod';

const PLAIN = { color: false, width: 100 };

function contextOf(at: SampleHome): Context {
  return {
    host: at.host,
    home: at.home,
    settings: builtInSettings(at.home),
    events: new Events('test', () => undefined, at.host),
    signal: new AbortController().signal,
    verbose: false,
    consent: () => Promise.resolve(true),
    askHidden: () => Promise.resolve(''),
    standardInput: () => Promise.resolve(undefined),
    attach: () => Promise.resolve(0),
    write: () => undefined,
  };
}

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, at: SampleHome, input: Record<string, unknown>) {
  const output = await operation.run(z.parse(operation.input, input), contextOf(at));
  const checked = z.parse(operation.output, output);
  // JSON for scripts is what the output schema says, nothing more and nothing less.
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, PLAIN) ?? '', code: operation.exitCode?.(checked) ?? 0 };
}

test('image list shows a line for every tag, and says what to do when there is none', async () => {
  await using at = await sampleHome();
  expect((await run(listOperation, at, {})).text).toMatch(/no images yet.*ingot build/);
  const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest', 'v1']);
  await putSampleImage(at.store, at.home, 'web', ['latest']);
  await at.store.addGate(image, sampleGate('passed'));
  const { text } = await run(listOperation, at, {});
  const lines = text.split('\n').map((line) => line.split(/ {2,}/));
  expect(lines[0]).toEqual(['NAME', 'TAG', 'DIGEST', 'SIZE', 'DISK', 'GATE', 'AGE']);
  expect(lines.slice(1).map(([name, tag, , , disk, gate, age]) => [name, tag, disk, gate, age])).toEqual([
    ['debian-12', 'latest', '1.0 MiB', 'passed', 'just now'],
    ['debian-12', 'v1', '1.0 MiB', 'passed', 'just now'],
    ['web', 'latest', '1.0 MiB', 'not run', 'just now'],
  ]);
  expect((await run(listOperation, at, { name: 'web' })).output.images).toHaveLength(1);
  await putSampleImage(at.store, at.home, 'web', ['latest']);
  expect((await run(listOperation, at, { all: true })).text).toContain('(none)');
});

test('image show tells layers, labels and each check of the gate', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest']);
  expect((await run(showOperation, at, { image: 'debian-12' })).text).toMatch(/Gate: not run/);
  await at.store.addGate(image, { ...sampleGate('failed'), reason: 'cloud-init did not end' });
  const { text } = await run(showOperation, at, { image: 'debian-12' });
  for (const part of [
    image.digest,
    image.id,
    'debian-12:latest',
    'base of debian-12',
    'purpose=sample',
    'kernel cloud',
    'Gate: failed',
    'cloud-init did not end',
    '1 min 20 s',
  ])
    expect(text).toContain(part);
  await expect(run(showOperation, at, { image: 'debian-13' })).rejects.toMatchObject({ code: 'image-unknown' });
});

test('image tag, remove and prune', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
  expect((await run(tagOperation, at, { image: 'web', tag: 'web:stable' })).text).toBe(`${image.digest} is web:latest, web:stable, web:v1`);
  expect((await run(removeOperation, at, { images: ['web:stable'] })).text).toMatch(/Removed the tag web:stable; the image stays as web:latest, web:v1/);
  await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
  expect((await run(pruneOperation, at, { dryRun: true })).text).toMatch(/image {2}web@sha256:.*\n(.*\n)*1 image, 1 layer, .* would be freed/);
  expect((await run(pruneOperation, at, {})).text).toMatch(/freed, .* left$/);
  expect((await run(pruneOperation, at, {})).text).toBe('Nothing to remove');
  expect((await run(removeOperation, at, { images: ['web'], allTags: true })).text).toMatch(/Removed web:latest, web:v1/);
  expect((await run(listOperation, at, { all: true })).output.images).toEqual([]);
});

test('image verify exits with 7 until what is wrong was repaired; a damaged image can be removed', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
  expect(await run(verifyOperation, at, {})).toMatchObject({ code: 0, text: expect.stringContaining('Everything is whole: 1 image,') });
  const blob = at.home.blob(image.layers[0]!.digest);
  const bytes = await readFile(blob);
  await at.host.files.setMode(blob, 0o644);
  await writeFile(blob, Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')]));
  const found = await run(verifyOperation, at, { images: ['web'] });
  expect(found.code).toBe(7);
  expect(found.text).toMatch(/✘ blobs\/sha256\/[0-9a-f]{64}: The bytes have changed[^]*spoils web:latest[^]*--repair/);
  expect(await run(verifyOperation, at, { repair: true })).toMatchObject({ code: 0, text: expect.stringContaining('repaired:') });
  expect((await run(listOperation, at, {})).text).toContain('damaged');
  expect((await run(removeOperation, at, { images: ['web'], allTags: true })).text).toMatch(/^Removed web:latest/);
});

describe('image export', () => {
  test('refuses an unknown format before it looks for the image', async () => {
    await using at = await sampleHome();
    await expect(run(exportOperation, at, { image: 'web', out: '/x/web.vhd' })).rejects.toMatchObject({ code: 'format-unknown', class: 'usage' });
    await expect(run(exportOperation, at, { image: 'web', out: '/x/web.raw' })).rejects.toMatchObject({ code: 'image-unknown' });
  });

  test('refuses a file that is there', async () => {
    await using at = await sampleHome();
    await putSampleImage(at.store, at.home, 'web', ['latest']);
    await mkdir(join(at.home.root, 'out'));
    const out = join(at.home.root, 'out', 'web.raw');
    await writeFile(out, 'mine');
    await expect(run(exportOperation, at, { image: 'web', out })).rejects.toMatchObject({ code: 'file-exists', hint: expect.stringContaining('--force') });
    expect(await readFile(out, 'utf8')).toBe('mine');
  });
});

test('ages', () => {
  expect([0, 59, 60, 7200, 86_400, 40 * 86_400, 800 * 86_400].map(formatAge)).toEqual(['just now', 'just now', '1 min', '2 h', '1 day', '1 month', '2 years']);
});

test('a table aligns its columns, styled cells included', () => {
  const columns = [{ title: 'A' }, { title: 'B', right: true }, { title: 'C' }];
  const rows = [
    ['x', '1', { text: 'red', style: 'red' as const }],
    ['longer', '22', 'end'],
  ];
  expect(renderTable(columns, rows, { color: false })).toBe('A        B  C\nx        1  red\nlonger  22  end');
  // eslint-disable-next-line no-control-regex -- the escapes are what must not count
  expect(renderTable(columns, rows, { color: true }).replaceAll(/\u001B\[\d+m/g, '')).toBe(renderTable(columns, rows, { color: false }));
});
