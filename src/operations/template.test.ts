import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { failureOf, problemsOf, templateFolder, type TemplateFolder } from '../../tests/support/templates.ts';
import { escapeReferences } from '../template/variables.ts';
import type { Operation } from './operation.ts';
import init from './template-init.ts';
import list from './template-list.ts';
import show from './template-show.ts';
import validate from './template-validate.ts';

async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, at: TemplateFolder, input: Record<string, unknown>) {
  const output = await operation.run(z.parse(operation.input, input), at.context);
  const checked = z.parse(operation.output, output);
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, { color: false, width: 100 }) ?? '' };
}

test('what init writes is a template: it validates, is listed and shown, and is never replaced', async () => {
  await using at = await templateFolder({});
  const { output, text } = await run(init, at, { name: 'web' });
  expect(output.file).toBe(join(at.home.templates, 'web.yaml'));
  expect(text).toContain('ingot build web');
  const written = await readFile(output.file, 'utf8');
  expect(written).toMatch(/^# yaml-language-server: \$schema=file:\/\/\/.*\/docs\/reference\/template.schema.json\n/);
  expect((await run(validate, at, { templates: ['web'] })).text).toMatch(/web {2,}debian-12 {2,}3 steps, 1 file/);
  expect((await run(list, at, {})).text).toMatch(/\nweb +debian-12 +valid +A web server/);
  expect((await run(show, at, { template: 'web', var: ['port=8080'] })).text).toContain('listen 8080;');
  expect(await failureOf(run(init, at, { name: 'web', from: 'debian-13' }))).toMatchObject({ class: 'conflict', code: 'file-exists' });
  expect(await readFile(output.file, 'utf8')).toBe(written);
  expect(await failureOf(run(init, at, { name: 'debian-12' }))).toMatchObject({ class: 'conflict', code: 'template-is-release' });
  expect(await failureOf(run(init, at, { name: 'Web!' }))).toMatchObject({ code: 'name-invalid' });
  const here = await run(init, at, { name: './db', from: 'debian-13' });
  expect(here.output).toMatchObject({ file: join(at.folder, 'db.yaml'), name: 'db', build: 'ingot build db.yaml' });
  expect((await run(validate, at, { templates: ['db.yaml', 'web'] })).output.templates.map(({ name, from }) => [name, from])).toEqual([
    ['db', 'debian-13'],
    ['web', 'debian-12'],
  ]);
});

test('validate tells all problems of all files, those of a shared part once', async () => {
  await using at = await templateFolder({
    'a.yaml': 'extends: base.yaml\nnam: a\n',
    'b.yaml': 'extends: base.yaml\npackages: x\n',
    'base.yaml': 'from: debian-12\nsteps: [{ rum: x }]\n',
    'good.yaml': 'from: debian-12\n',
    'unknown.yaml': 'from: debian-21\n',
  });
  const all = run(validate, at, { templates: ['a.yaml', 'b.yaml', 'good.yaml', 'unknown.yaml', 'nowhere.yaml'] });
  expect(await failureOf(all)).toMatchObject({ class: 'usage', code: 'template-invalid', message: '4 of 5 templates have problems' });
  expect((await problemsOf(all)).map((text) => text.replace(/ \| .*/, ''))).toEqual([
    'base.yaml:2:11 steps[0].rum: is unknown',
    'a.yaml:2:1 nam: is unknown',
    'b.yaml:2:11 packages: must be a list, not text',
    'unknown.yaml:1:7 from: there is neither a release nor an image "debian-21"',
    'nowhere.yaml: There is no file nowhere.yaml',
  ]);
  expect(await failureOf(run(validate, at, { templates: ['nowhere.yaml'] }))).toMatchObject({ class: 'not-found' });
  expect(await failureOf(run(validate, at, { templates: ['debian-12'] }))).toMatchObject({ code: 'template-is-release' });
});

test('validate checks every image of a fleet', async () => {
  await using at = await templateFolder({
    'fleet.yaml': 'templates: [a.yaml, b.yaml]\nreleases: [debian-12, debian-13]\ninclude: [{ template: debian-11, roles: [docker] }]\n',
    'a.yaml': 'packages: [nginx]\n',
    'b.yaml': 'packages: [curl]\n',
    'wrong.yaml': 'templates: [a.yaml, c.yaml]\nreleases: [debian-12]\n',
    'c.yaml': 'nam: x\n',
  });
  expect((await run(validate, at, { templates: ['fleet.yaml'] })).output.templates.map(({ file, name }) => [file, name])).toEqual([
    ['a.yaml', 'a-debian-12'],
    ['a.yaml', 'a-debian-13'],
    ['b.yaml', 'b-debian-12'],
    ['b.yaml', 'b-debian-13'],
    ['debian-11', 'debian-11-docker'],
  ]);
  expect((await problemsOf(run(validate, at, { templates: ['wrong.yaml'] }))).join()).toMatch(/^c.yaml:1:1 nam: is unknown/);
});

test('show: the effective template, where each value comes from, and what planning gets', async () => {
  await using at = await templateFolder({
    'web.yaml': 'extends: base.yaml\nvariables: { port: 80 }\nsteps:\n  - run: |\n      listen {{ port }}\n      keep \\{{ port }}\n',
    'base.yaml': 'packages: [nginx]\nfrom: debian-12\n',
  });
  const { text, output } = await run(show, at, { template: 'web.yaml', origin: true });
  expect(text).toBe(
    [
      'from: debian-12 # base.yaml:2',
      'packages:',
      '  - nginx # base.yaml:1',
      'steps:',
      '  - run: | # web.yaml:4',
      '      listen 80',
      String.raw`      keep \{{ port }}`,
      '',
    ].join('\n'),
  );
  expect(output.resolved).toMatchObject({ name: 'web', steps: [{ kind: 'run', script: 'listen 80\nkeep {{ port }}\n' }] });
  // What is shown is a template that means the same.
  await at.write({ 'again.yaml': text });
  expect((await run(show, at, { template: 'again.yaml' })).output.template).toEqual(output.template);
  expect((await run(show, at, { template: 'debian-12' })).text).toBe('from: debian-12\n');
  expect(await failureOf(run(show, at, { template: 'debain-12' }))).toMatchObject({ code: 'template-unknown', hint: expect.stringContaining('debian-12') });
});

test('whatever texts a template holds, what is shown is a template that holds the same', { timeout: 60_000 }, async () => {
  await using at = await templateFolder({});
  const text = fc.oneof(
    fc.array(fc.constantFrom(' ', '\n', '\t', 'a', '#', ': ', '- ', '|', '"', "'", '{{ a }}', '\\', '\r\n', '%', '---\n')).map((parts) => parts.join('')),
    fc.string(),
  );
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom('a', 'b'), text), fc.boolean(), async (labels, origin) => {
      const written = Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, escapeReferences(value)]));
      const [one, two] = [`a${(count += 1)}.yaml`, `b${count}.yaml`];
      await at.write({ [one]: JSON.stringify({ from: 'debian-12', labels: written }) });
      await at.write({ [two]: (await run(show, at, { template: one, origin })).text });
      expect((await at.load({}, two)).template.labels).toEqual((await at.load({}, one)).template.labels);
    }),
    { numRuns: 150 },
  );
});

test('list tells what a template lacks, and what a name would mean instead', async () => {
  await using at = await templateFolder({});
  expect((await run(list, at, {})).text).toMatch(/no templates in .*ingot template init/);
  await mkdir(at.home.templates, { recursive: true });
  const files = {
    'debian-12.yaml': 'from: debian-13\n',
    'part.yaml': 'packages: [a]\n',
    'needs.yaml': 'from: web:1.4\nvariables: { port: { type: number } }\n',
    'bad.yaml': 'nam: x\npackges: []\n',
    'web.yaml': 'from: { image: base }\ndescription: good\n',
    'web.yml': 'from: debian-12\n',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(at.home.templates, name), content);
  const { output } = await run(list, at, {});
  expect(output.templates.map(({ file, from, state, note }) => [file.slice(at.home.templates.length + 1), from, state, note])).toEqual([
    ['bad.yaml', null, 'invalid', '2 problems'],
    ['debian-12.yaml', 'debian-13', 'hidden', 'debian-12 is a release'],
    ['needs.yaml', null, 'needs-variables', 'port'],
    ['part.yaml', null, 'part', null],
    ['web.yaml', 'base', 'valid', null],
    ['web.yml', 'debian-12', 'hidden', 'web.yaml wins'],
  ]);
  // The nearest of releases and templates.
  expect(await failureOf(run(show, at, { template: 'wbe' }))).toMatchObject({ hint: 'Did you mean web?' });
  await at.write({ 'mine.yaml': 'from: debian-12\n' });
  expect(await failureOf(run(show, at, { template: 'mine' }))).toMatchObject({ hint: 'There is a file here: write mine.yaml.' });
  expect(await failureOf(run(show, at, { template: 'min.yaml' }))).toMatchObject({ hint: 'Did you mean mine.yaml?' });
});
