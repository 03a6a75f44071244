import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Events } from '../base/events.ts';
import { builtInSettings } from '../base/settings.ts';
import { newVm, sampleLab } from '../../tests/support/lab.ts';
import { commitSampleLayers, putSampleImage, recordsOf, sampleConfig, sampleGate, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { createVm } from '../platforms/local/create.ts';
import diffOperation from './image-diff.ts';
import { renderDifference } from './image-diff-text.ts';
import exportOperation from './image-export.ts';
import historyOperation from './image-history.ts';
import listOperation from './image-list.ts';
import pruneOperation from './image-prune.ts';
import loadOperation from './image-load.ts';
import removeOperation from './image-remove.ts';
import saveOperation from './image-save.ts';
import showOperation from './image-show.ts';
import tagOperation from './image-tag.ts';
import { formatAge } from './image-text.ts';
import treeOperation from './image-tree.ts';
import verifyOperation from './image-verify.ts';
import type { Context, Operation } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
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
    ...UNATTENDED,
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
  expect(lines[0]).toEqual(['NAME', 'TAG', 'DIGEST', 'SIZE', 'DISK', 'GATE', 'AGE', 'VMS', 'HOLDS']);
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

test('image list and image show name roles, and the VMs that use an image, also where the record of one is damaged', async () => {
  await using lab = await sampleLab();
  const { home: at } = lab;
  const base = await at.store.resolve('debian-12');
  const layers = await commitSampleLayers(at.store, at.home, ['docker', 'observer', 'site'], await recordsOf(at.store, base));
  const config = sampleConfig(layers, 'web');
  const details = config['dev.ingot.image'];
  const kinds = ['bootstrap', 'packages', 'role', 'role', 'copy'];
  const told = { ...details, layers: details.layers.map((layer, i) => ({ ...layer, kind: kinds[i] })) };
  await at.store.putImage({ ...config, 'dev.ingot.image': told }, layers, parseName('web', 'an image'), ['latest']);
  for (const name of ['a', 'b', 'broken']) await createVm(lab.context(), newVm(name, { image: 'web' }));
  await writeFile(join(at.home.vms, 'broken', 'vm.json'), '{');
  await mkdir(join(at.home.vms, 'Not A Name'));

  const { output, text } = await run(listOperation, at, {});
  expect(output.images.map(({ name, roles, vms, release }) => [name, roles, vms, release])).toEqual([
    ['debian-12', [], [], 'debian-12'],
    ['web', ['docker', 'observer'], ['a', 'b'], 'debian-12'],
  ]);
  expect(text.split('\n').at(-1)).toMatch(/ {2}2 {2}debian-12 \+ docker \+ obs/);
  const shown = await run(showOperation, at, { image: 'web' });
  expect(shown.output).toMatchObject({ roles: ['docker', 'observer'], vms: ['a', 'b'] });
  expect(shown.text).toMatch(/Roles +docker, observer\n/);
  expect(shown.text).toMatch(/VMs +a, b\n/);
  // What removes images trusts no such list.
  await expect(run(pruneOperation, at, {})).rejects.toThrow(IngotError);
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

test('image history, tree and diff of a chain', async () => {
  await using at = await sampleHome();
  const base = await putSampleImage(at.store, at.home, 'debian-12', ['latest'], ['bootstrap']);
  for (let i = 1; i <= 5; i++) {
    const web = await putSampleImage(at.store, at.home, 'web', ['latest', `1.${i}`], [`role ${i}`], await recordsOf(at.store, base));
    if (i === 1) await putSampleImage(at.store, at.home, 'shop', ['latest'], ['run'], await recordsOf(at.store, web));
  }
  const history = (await run(historyOperation, at, { image: 'shop' })).text;
  expect(history).toMatch(/bootstrap .* 6\n/);
  expect(history).toMatch(/role 1 .* 1\n/);
  expect(history).toMatch(/3 layers, .* of it its own/);

  const tree = (await run(treeOperation, at, {})).text;
  expect(tree.split('\n').map((line) => line.split('  ')[0])).toEqual([
    'IMAGE',
    'debian-12:latest',
    '├─ web:latest, 1.5',
    expect.stringMatching(/^├─ web:1\.\d$/),
    expect.stringMatching(/^├─ web:1\.\d$/),
    '├─ web:1.1',
    '│',
    '└─ … 1 more of web',
    '--all shows every version',
  ]);
  expect(tree).toMatch(/│ {2}└─ shop:latest/);
  expect((await run(treeOperation, at, { all: true })).text.match(/web:/g)).toHaveLength(5);
  expect((await run(treeOperation, at, { image: 'shop' })).output.nodes.map(({ references }) => references[0])).toEqual([
    'debian-12:latest',
    'web:1.1',
    'shop:latest',
  ]);
  expect((await run(treeOperation, at, { image: 'nothing' })).text).toMatch(/No image to show/);

  const { text } = await run(diffOperation, at, { before: 'web:1.1', after: 'web' });
  expect(text).toMatch(/Layers {2}1 shared, 1 only before, 1 only after\n= {2}bootstrap/);
  expect(text).toMatch(/Config {2}no difference/);
  expect(text).toMatch(/Packages {2}1 added, 1 removed\n- {2}package-of-role 1 {2}1\.0-1\n\+ {2}package-of-role 5/);
  expect(text).not.toMatch(/Files/);
  expect((await run(diffOperation, at, { before: 'web', after: 'web:1.5' })).text).toMatch(/the same image/);
});

test('a folder that only one image has stands for all in it', () => {
  const side = { references: [], digest: 'sha256:1' };
  const one = (path: string, type: string, size = 10) => ({ path, change: 'added' as const, aspects: [], after: { type, mode: '755', owner: '0:0', size } });
  const files = [one('/a', 'd'), one('/a/b', 'f', 1024), one('/a/c', 'd'), one('/a/c/d', 'f', 1024), one('/a-b', 'f')];
  const text = renderDifference(
    { before: side, after: { ...side, digest: 'sha256:2' }, layers: [], config: [], packages: [], files, folders: [{ folder: '/a', before: 0, after: 2048 }] },
    PLAIN,
  );
  expect(text).toMatch(/Files {2}5 added\n\+ {2}\/a\/ +3 inside, 2\.0 KiB\n\+ {2}\/a-b +10 B\n/);
  expect(text).toMatch(/All files: \+2\.0 KiB/);
});

test('image save and load', async () => {
  await using here = await sampleHome();
  await using there = await sampleHome();
  await putSampleImage(here.store, here.home, 'web', ['latest']);
  const file = join(here.home.root, 'web.tar');
  expect((await run(saveOperation, here, { images: ['web'], out: file })).text).toMatch(/1 image, .*\n {2}web:latest/);
  expect((await run(loadOperation, there, { file })).text).toMatch(/^web:latest {2}sha256:[^]*4 files of 4 copied, .*; 2 layers new in the cache$/);
  expect((await run(loadOperation, there, { file })).text).toMatch(/\(was there\)\n0 files of 4/);
  await expect(run(loadOperation, there, { file: `${file}.not` })).rejects.toMatchObject({ code: 'file-missing' });
});

describe('image export', () => {
  test('refuses an unknown format before it looks for the image', async () => {
    await using at = await sampleHome();
    await expect(run(exportOperation, at, { image: 'web', out: '/x/web.floppy' })).rejects.toMatchObject({ code: 'format-unknown', class: 'usage' });
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
