import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { loadPackages, nativePackage } from '../catalog/packages.ts';
import { findRepository, repositoryWay } from '../catalog/repositories.ts';
import type { Release } from '../catalog/schema.ts';
import { roleContent } from '../roles/content.ts';
import { roleNamed } from '../roles/find.ts';
import { chooseParts } from '../roles/parts.ts';
import { parameterValues } from '../roles/parameters.ts';
import type { Role } from '../roles/role.ts';
import type { RoleParameter } from '../roles/schema.ts';
import type { VariableValue } from '../template/variables-schema.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

const release = z.strictObject({
  release: z.string(),
  /** The family's own names. */
  packages: z.array(z.string()),
  repositories: z.array(z.string()),
  files: z.array(z.string()),
  services: z.array(z.string()),
  tests: z.int(),
  /** Why this release cannot have the role; null where it can. */
  problem: z.string().nullable(),
});

export default defineOperation({
  name: 'role validate',
  summary: 'Check a role and all that it names, without building anything',
  description:
    'All of role.yaml is checked, parts included that a parameter switches off, and for every release of its families what the role does there with its parameters at their defaults: names of packages, repositories, files. Every problem is told with its line and column. Keys of repositories are fetched when a template is planned.',
  kind: 'query',
  input: z.strictObject({
    role: z.string().min(1).describe('A role by its name, or by the path of its folder: ./hello').meta({ positional: true, complete: 'role' }),
    parameter: z.array(z.string()).default([]).describe('Set a parameter instead of its default; lists with commas').meta({ placeholder: 'NAME=VALUE' }),
  }),
  output: z.strictObject({ role: z.string(), version: z.string(), releases: z.array(release) }),
  examples: [
    { command: 'ingot role validate ./hello', does: 'everything that is wrong with a role, or what it does in every release' },
    { command: 'ingot role validate docker --parameter source=upstream', does: 'the same for another value of a parameter' },
  ],
  async run(input, context) {
    const catalog = await loadCatalog(context);
    const role = await roleNamed(context, catalog, input.role);
    const { head } = role;
    const { values, faults } = parameterValues(head, { ...placeholders(head.parameters), ...givenParameters(input.parameter, head.parameters) });
    for (const { error } of faults) throw error.code === 'parameter-missing' ? sayable(error) : error;
    chooseParts(role, undefined, values);
    const supported = releases(catalog).filter(({ id, family }) => head.families.includes(family) && head.except[id] === undefined);
    const packages = await loadPackages();
    const inRelease = async (one: Release): Promise<z.output<typeof release>> => {
      const [arch = 'amd64'] = one.architectures;
      const repositories: string[] = [];
      const content = await roleContent(role, factsOf(one, arch), values, {
        native: (name) => nativePackage(packages, name, one, arch),
        repository(wanted) {
          const name = typeof wanted === 'string' ? wanted : wanted.name;
          if (typeof wanted === 'string') repositoryWay(findRepository(catalog, name), one, arch, textsOf(values));
          repositories.push(name);
          return Promise.resolve(undefined);
        },
        // Whether it is there is asked when a template is planned.
        secret: (secret) => Promise.resolve({ secret, fingerprint: '' }),
      });
      return {
        release: one.id,
        packages: [...content.packages],
        repositories,
        files: content.files.map(({ path }) => path),
        services: content.services.map(({ name }) => name),
        tests: content.tests.length,
        problem: null,
      };
    };
    // A role holds for the releases that ingot makes itself, or says `except`. What derivatives and cloud images lack of its family is told.
    const orProblem = (one: Release): Promise<z.output<typeof release>> =>
      one.bootstrap === undefined ? inRelease(one).catch((error: unknown) => lacking(one, error)) : inRelease(one);
    return { role: head.role, version: head.version, releases: await Promise.all(supported.map(orProblem)) };
  },
  render({ role, version, releases: all }, options) {
    if (all.length === 0) return `${role} (version ${version}) is right, but no release of the catalog can have it.`;
    const table = renderTable(
      [
        { title: 'RELEASE' },
        { title: 'FILES', right: true },
        { title: 'TESTS', right: true },
        { title: 'PACKAGES', shrink: true },
        { title: 'SERVICES', shrink: true },
      ],
      all.map((one) =>
        one.problem === null
          ? [one.release, String(one.files.length), String(one.tests), one.packages.join(' '), one.services.join(' ')]
          : [one.release, '', '', { text: one.problem, style: 'yellow' }, ''],
      ),
      options,
    );
    const able = all.filter(({ problem }) => problem === null).length;
    const lack = able === all.length ? '' : `; ${countOf(all.length - able, 'release')} cannot have it`;
    return `${role} (version ${version}) is right, in ${countOf(able, 'release')}${lack}.\n\n${table}`;
  },
});

/** A release that lacks what the catalog knows elsewhere cannot have the role, which is no mistake in it. */
function lacking(one: Release, error: unknown): z.output<typeof release> {
  if (!(error instanceof IngotError) || !['package-unsupported', 'repository-unsupported'].includes(error.code)) throw error;
  return { release: one.id, packages: [], repositories: [], files: [], services: [], tests: 0, problem: error.message };
}

function factsOf({ id, family, distribution }: Release, arch: string): Parameters<typeof roleContent>[1] {
  return { family, release: id, distribution, arch };
}

function sayable(error: IngotError): IngotError {
  return new IngotError('usage', error.code, error.message, { hint: 'It has no default, and has to match a pattern: say one with --parameter NAME=VALUE.' });
}

/** For parameters that have no default: something of the right kind, so that the rest can be checked. What a pattern takes is not to be guessed. */
function placeholders(parameters: Role['head']['parameters']): Record<string, VariableValue> {
  const some: Readonly<Record<RoleParameter['type'], VariableValue>> = { string: 'x', number: 1, boolean: false, list: [] };
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, { default: value, values, type, pattern }]) =>
      value !== undefined || (pattern !== undefined && values === undefined) ? [] : [[name, values?.[0] ?? some[type]]],
    ),
  );
}

function givenParameters(texts: readonly string[], parameters: Role['head']['parameters']): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name = text, value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
      const type = Object.hasOwn(parameters, name) ? parameters[name]?.type : undefined;
      return [name, typed(value, type)];
    }),
  );
}

function typed(text: string, type: RoleParameter['type'] | undefined): unknown {
  if (type === 'list') return text === '' ? [] : text.split(',');
  if (type === 'number') return text.trim() === '' ? text : Number(text);
  return type === 'boolean' && ['true', 'false'].includes(text) ? text === 'true' : text;
}

function textsOf(values: ReadonlyMap<string, VariableValue>): Record<string, string> {
  return Object.fromEntries([...values].map(([name, value]) => [name, String(value)]));
}
