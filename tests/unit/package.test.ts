import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { VERSION } from '../../src/cli/version.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const manifest = z.object({ version: z.string(), optionalDependencies: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));
const lock = z.object({ packages: z.record(z.string(), z.record(z.string(), z.unknown())) }).parse(JSON.parse(read('package-lock.json')));

test('the version is the same everywhere', () => {
  expect(VERSION).toBe(manifest.version);
  expect(lock.packages['']?.['version']).toBe(manifest.version);
});

test('the launcher brings the Node.js that is pinned', () => {
  const pinned = /^node_version=(.*)$/m.exec(read('ingot'))?.[1];
  expect(new Set(Object.values(manifest.optionalDependencies))).toEqual(new Set([pinned]));
});

test('the lock file has a version and a checksum for each package, and names no registry', () => {
  for (const [name, entry] of Object.entries(lock.packages)) {
    if (name === '') continue;
    expect(entry['version'], name).toBeTypeOf('string');
    expect(entry['integrity'], name).toMatch(/^sha512-/);
    expect(entry, name).not.toHaveProperty('resolved');
  }
});
