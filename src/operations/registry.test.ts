import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fieldsOf } from './fields.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { loadOperation, REGISTRY } from './registry.ts';

const folder = import.meta.dirname;
const fileOf = (name: string): string => `${name.replaceAll(' ', '-')}.ts`;

describe('the registry', () => {
  test('holds every file that declares an operation, and nothing else', () => {
    const declaring = readdirSync(folder).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && /^export default defineOperation\(/m.test(readFileSync(join(folder, name), 'utf8')),
    );
    expect(Object.keys(REGISTRY).map(fileOf).toSorted()).toEqual(declaring.toSorted());
  });

  test('imports each operation from the file of its name', () => {
    for (const [name, { load }] of Object.entries(REGISTRY)) expect(load.toString()).toContain(fileOf(name).replace('.ts', ''));
  });

  test.each(Object.keys(REGISTRY))('%s is declared in full', async (name) => {
    const operation = await loadOperation(name);
    expect(operation.name).toBe(name);
    expect(operation.summary).toMatch(/^[A-Z].*[^.]$/);
    expect(operation.examples.length).toBeGreaterThan(0);
    for (const { command } of operation.examples) expect(command).toContain(`ingot ${name}`);
    const fields = fieldsOf(operation);
    for (const field of fields) expect(field.description, `${name} ${field.key}`).not.toBe('');
    const flags = fields.filter((field) => !field.positional);
    for (const { flag, short } of GLOBAL_FLAGS) {
      expect(flags.map((field) => field.flag)).not.toContain(flag);
      if (short !== undefined) expect(flags.map((field) => field.short)).not.toContain(short);
    }
    const headed = Object.values(operation.headings ?? {}).flat();
    expect(flags.map((field) => field.key)).toEqual(expect.arrayContaining(headed));
    expect(new Set(headed).size, `${name}: a flag under one heading`).toBe(headed.length);
    const positionals = fields.filter((field) => field.positional);
    // What follows one that takes all, or an optional one, could never be told apart.
    expect(positionals.slice(0, -1).every((field) => !field.many && field.required)).toBe(true);
  });
});
