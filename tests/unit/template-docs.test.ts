import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import * as z from 'zod';
import { findRelease, shippedCatalog } from '../../src/catalog/catalog.ts';
import { sectionsOf } from '../../src/plan/sections.ts';
import { templateSchema } from '../../src/template/schema.ts';
import { starterTemplate } from '../../src/template/starter.ts';
import { templateJsonSchema } from '../../tools/template-reference.ts';
import { TEMPLATE_EXAMPLES } from '../../tools/template-examples.ts';
import { templateFolder } from '../support/templates.ts';

const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'templates.md'), 'utf8');
const [web = '', shop = '', ...parts] = [...guide.matchAll(/```yaml\n([^]*?)```/g)].map((match) => match[1] ?? '');

test('the template of the guide is right as it stands, and has ten layers', async () => {
  await using at = await templateFolder({ 'web.yaml': web, 'shop.yaml': shop });
  const resolved = await at.resolve();
  const layers = ['base', ...sectionsOf(resolved, findRelease(await shippedCatalog(), 'debian-12')).map(({ name }) => name)];
  expect(layers).toEqual([
    'base',
    'packages',
    'users',
    'system',
    'file /etc/nginx/sites-available/site',
    'nginx serves the site',
    'file /etc/logrotate.d/site',
    'folders of the site',
    'service nginx enabled',
    'the page',
  ]);
  expect((await at.load({}, 'shop.yaml')).template).toMatchObject({ name: 'shop', packages: ['nginx', 'curl', 'jq', 'redis-server'] });
});

test('the parts that the guide shows are right', () => {
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts) expect(templateSchema.safeParse(parse(part), { jitless: true }).error?.issues, part).toBeUndefined();
});

test('the starter is right, with everything in it that is commented out too', async () => {
  const starter = starterTemplate({ name: 'web', from: 'debian-12', schema: undefined });
  // What is offered in comments has a key or a dash at its beginning; the rest is words.
  const uncommented = starter.replaceAll(/^( *)# ((?:- |  |[a-z-]+:(?: |$)).*)$/gm, '$1$2').replace('AAAA…', 'AAAAC3NzaC1lZDI1NTE5AAAAIGAb');
  expect(uncommented).not.toBe(starter);
  await using at = await templateFolder({ 'web.yaml': starter, 'all.yaml': uncommented });
  expect((await at.resolve()).steps).toHaveLength(3);
  expect((await at.load({}, 'all.yaml')).template).toMatchObject({ disk: { size: '8GiB' }, roles: ['docker'], steps: { length: 5 } });
});

describe('examples of the reference', () => {
  test.each(Object.keys(TEMPLATE_EXAMPLES))('%s is right', async (name) => {
    for (const document of parseAllDocuments(TEMPLATE_EXAMPLES[name] ?? '')) {
      const part: unknown = document.toJS();
      await using at = await templateFolder({ 'web.yaml': stringify({ from: 'debian-12', ...z.record(z.string(), z.unknown()).parse(part) }) });
      expect((await at.load({ ...(name === 'variables' ? { tier: 'gold' } : {}) })).template.from).toBeDefined();
    }
  });
});

test('every key has a description', () => {
  const missing: string[] = [];
  const look = (schema: z.core.JSONSchema._JSONSchema, path: string): void => {
    if (typeof schema === 'boolean') return;
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      if (typeof value === 'object' && value.description === undefined) missing.push(`${path}.${key}`);
      look(value, `${path}.${key}`);
    }
    for (const option of schema.anyOf ?? []) look(option, path);
    if (schema.items !== undefined && !Array.isArray(schema.items)) look(schema.items, `${path}[]`);
    if (schema.additionalProperties !== undefined) look(schema.additionalProperties, `${path}.*`);
  };
  look(z.toJSONSchema(templateSchema, { io: 'input' }), '');
  expect(missing).toEqual([]);
});

describe('the schema for editors', () => {
  const published: unknown = JSON.parse(templateJsonSchema());
  const forEditors = z.fromJSONSchema(z.record(z.string(), z.any()).parse(published));

  test('takes what a template may be, variables everywhere included', () => {
    expect(published).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false });
    const good = [web, shop, starterTemplate({ name: 'web', from: 'debian-12', schema: undefined }), ...Object.values(TEMPLATE_EXAMPLES)];
    for (const text of good) {
      for (const document of parseAllDocuments(text)) expect(forEditors.safeParse(document.toJS()).error, text).toBeUndefined();
    }
    const variables =
      'disk: { size: "{{ gb }}GiB" }\npackages: "{{ list }}"\nsystem: { sshd: { port: "{{ port }}" } }\ntests: [{ port: "{{ port }}" }]\narch: "{{ arch }}"\n';
    expect(forEditors.safeParse(parse(variables)).error).toBeUndefined();
  });

  test.each([
    'nam: x',
    'packages: nginx',
    'disk: { size: 8 }',
    'disk: { siz: 8GiB }',
    'steps: [{ rum: x }]',
    'tests: [{ port: 70000 }]',
    'arch: i386',
    'users: [{ name: "A B" }]',
  ])('refuses %s', (text) => {
    expect(forEditors.safeParse(parse(text)).success).toBe(false);
  });
});
