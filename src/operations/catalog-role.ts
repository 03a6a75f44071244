import * as z from 'zod';
import { formatDuration, formatSize } from '../base/types.ts';
import { shippedCatalog, releases } from '../catalog/catalog.ts';
import { testedRows } from '../catalog/tested.ts';
import { roleNamed } from '../roles/find.ts';
import type { RoleParameter } from '../roles/schema.ts';
import { variableValueSchema, type VariableValue } from '../template/variables-schema.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { renderTable, styled, type CellStyle } from './table.ts';

const parameter = z.strictObject({
  name: z.string(),
  type: z.enum(['string', 'number', 'boolean', 'list']),
  description: z.string(),
  /** Without one, it has to be set. */
  default: variableValueSchema.optional(),
  values: z.array(variableValueSchema).optional(),
  pattern: z.string().optional(),
});

const tested = z.strictObject({
  release: z.string(),
  variant: z.string(),
  /** `stand-in`: against packages of a test of the same names, which never counts as tested; `stale`: the role has changed since. */
  standing: z.enum(['tested', 'stand-in', 'failed', 'stale']),
  built: z.boolean(),
  booted: z.boolean(),
  passed: z.int(),
  /** Names of the tests that did not hold. */
  failed: z.array(z.string()),
  /** Of the role's layer, as it is stored. */
  bytes: z.int(),
  /** That its layer took to make. */
  seconds: z.number(),
});
type Tested = z.output<typeof tested>;

export default defineOperation({
  name: 'catalog role',
  summary: 'Show what a role does, its parameters, and where it was tested',
  kind: 'query',
  input: z.strictObject({
    role: z.string().min(1).describe('A role by its name, or by the path of its folder').meta({ positional: true, complete: 'role' }),
  }),
  output: z.strictObject({
    name: z.string(),
    version: z.string(),
    summary: z.string(),
    /** `the catalog`, or a folder. */
    origin: z.string(),
    families: z.array(z.string()),
    /** Releases of the catalog that can have it. */
    releases: z.array(z.string()),
    /** Release -> why it cannot have the role. */
    except: z.record(z.string(), z.string()),
    conflicts: z.array(z.string()),
    /** Each a choice of roles, of which one has to be there. */
    requires: z.array(z.array(z.string())),
    parameters: z.array(parameter),
    tested: z.array(tested),
  }),
  examples: [
    { command: 'ingot catalog role docker', does: 'its parameters, families, releases and test results' },
    { command: 'ingot catalog role ./hello --json', does: 'the same of a role of your own, for a program' },
  ],
  async run(input, context) {
    const catalog = await shippedCatalog();
    const { head, folder } = await roleNamed(context, catalog, input.role);
    return {
      name: head.role,
      version: head.version,
      summary: head.summary,
      origin: folder.origin,
      families: [...head.families],
      releases: releases(catalog).flatMap(({ id, family }) => (head.families.includes(family) && head.except[id] === undefined ? [id] : [])),
      except: { ...head.except },
      conflicts: [...head.conflicts],
      requires: head.requires.map((choice) => (typeof choice === 'string' ? [choice] : [...choice])),
      parameters: Object.entries(head.parameters).map(([name, one]) => ({ name, ...one })),
      tested: testedRows(folder.files).map(({ standIn: _standIn, role: _role, ...row }) => row),
    };
  },
  render(role, options) {
    const facts: readonly (readonly [string, string])[] = [
      ['Role', `${role.name}, version ${role.version}`],
      ['What it is', role.summary],
      ['From', role.origin],
      ['Families', role.families.join(', ')],
      ['Releases', role.releases.join(', ') || 'none of the catalog'],
      ...Object.entries(role.except).map(([id, why]) => ['Not in', `${id}: ${why}`] as const),
      ...role.requires.map((choice) => ['Requires', choice.join(' or ')] as const),
      ...(role.conflicts.length === 0 ? [] : [['Conflicts', role.conflicts.join(', ')] as const]),
    ];
    const lines = facts.map(([title, value], i) => `${styled((facts[i - 1]?.[0] === title ? '' : title).padEnd(12), 'dim', options)}${value}`);
    return [lines.join('\n'), parametersText(role.parameters, options), testedText(role.tested, options)].join('\n\n');
  },
});

function parametersText(parameters: readonly z.output<typeof parameter>[], options: RenderOptions): string {
  if (parameters.length === 0) return 'It takes no parameters.';
  return renderTable(
    [{ title: 'PARAMETER' }, { title: 'TYPE' }, { title: 'DEFAULT', shrink: 'wrap' }, { title: 'MEANING', shrink: 'wrap' }],
    parameters.map((one) => [one.name, one.type, one.default === undefined ? { text: 'to be set', style: 'yellow' } : valueText(one.default), meaningOf(one)]),
    options,
  );
}

const STANDINGS: Readonly<Record<Tested['standing'], CellStyle>> = { tested: 'green', 'stand-in': 'yellow', failed: 'red', stale: 'dim' };

function testedText(rows: readonly Tested[], options: RenderOptions): string {
  if (rows.length === 0) return 'Nobody has built and booted it by its tests yet.';
  return renderTable(
    [
      { title: 'RELEASE' },
      { title: 'VARIANT' },
      { title: 'RESULT' },
      { title: 'TESTS', right: true },
      { title: 'LAYER', right: true },
      { title: 'TIME', right: true },
    ],
    rows.map((row) => [
      row.release,
      row.variant,
      { text: standingText(row), style: STANDINGS[row.standing] },
      `${row.passed} of ${row.passed + row.failed.length}`,
      formatSize(row.bytes),
      formatDuration(row.seconds),
    ]),
    options,
  );
}

function standingText({ standing, built, booted, failed }: Tested): string {
  if (standing === 'stale') return 'changed since';
  if (standing !== 'failed') return standing;
  return !built ? 'not built' : !booted ? 'did not boot' : `failed: ${failed.join(', ')}`;
}

function valueText(value: VariableValue): string {
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : value.join(', ');
  return value === '' ? 'empty' : String(value);
}

function meaningOf({ description, values }: Pick<RoleParameter, 'description' | 'values'>): string {
  return values === undefined ? description : `${description} (${values.map(valueText).join(', ')})`;
}
