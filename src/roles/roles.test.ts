import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import { roleContent, type RoleNeeds } from './content.ts';
import { loadRole } from './load.ts';
import { parameterValues } from './parameters.ts';
import { chooseParts, type RoleFacts } from './parts.ts';
import { inOrder, relationProblems } from './relations.ts';
import type { Role, RoleContent } from './role.ts';

const HEAD = "role: web\nversion: '1'\nsummary: A page\nfamilies: [debian]\n";
const FACTS: RoleFacts = { family: 'debian', release: 'debian-12', distribution: 'debian', arch: 'amd64' };
const NEEDS: RoleNeeds = {
  native: (name) => (name === 'docker-ce' ? { name, repository: 'docker' } : { name: name === 'docker' ? 'docker.io' : name }),
  repository: (repository) =>
    Promise.resolve({ name: typeof repository === 'string' ? repository : repository.name, uri: 'https://x', suites: [], components: [], key: '' }),
  secret: (name) => Promise.resolve({ secret: name, fingerprint: 'f' }),
};

function role(text: string, files: Readonly<Record<string, string>> = {}): Role {
  return loadRole({ origin: 'a test', file: hostPath('/roles/web/role.yaml'), files: { ...files, 'role.yaml': HEAD + text } });
}

async function content(text: string, given: Readonly<Record<string, unknown>> = {}, files: Readonly<Record<string, string>> = {}): Promise<RoleContent> {
  const one = role(text, files);
  const { values, faults } = parameterValues(one.head, given);
  expect(faults).toEqual([]);
  return await roleContent(one, FACTS, values, NEEDS);
}

/** What is wrong with a role's file, each with its line and column in what comes after the head. */
function problems(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    return error.problems.map(
      ({ position, path, message, hint }) => `${(position?.line ?? 0) - 4}:${position?.column} ${path}: ${message}${hint === undefined ? '' : ` | ${hint}`}`,
    );
  }
  throw new Error('nothing was wrong');
}

const PORTS = 'parameters: { ports: { type: list, default: [], description: x }, tls: { type: boolean, default: false, description: x } }\n';

describe('parts', () => {
  test('apply where their conditions hold; an empty list is the empty text', async () => {
    const parts = `${PORTS}parts:
  - { packages: [always] }
  - { when: { family: debian, release: [debian-11, debian-12] }, packages: [twelve] }
  - { when: { release: debian-13 }, packages: [thirteen] }
  - { when: { tls: true }, packages: [tls] }
  - { unless: { ports: '' }, packages: [ports] }
  - { when: { ports: '443' }, packages: [https] }
`;
    expect((await content(parts)).packages).toEqual(['always', 'twelve']);
    expect((await content(parts, { ports: ['80', '443'], tls: true })).packages).toEqual(['always', 'https', 'ports', 'tls', 'twelve']);
  });

  test('get values of their type; JSON of one path is one file', async () => {
    const { files } = await content(
      `${PORTS}parts:
  - files: [{ path: /etc/a.json, json: { ports: '{{ ports }}', all: ['0', '{{ ports }}'], tls: '{{ tls }}', text: 'is {{ tls }}', deep: { a: 1 } } }]
  - files: [{ path: /etc/a.json, json: { ports: ['1'], deep: { b: 2 } }, mode: '0600' }, { path: /etc/b, content: "tls {{ tls }}\\n" }]
  - files: [{ path: /etc/c, from: files/c }, { path: /etc/d.yaml, yaml: { a: ['{{ tls }}'] } }]
`,
      { ports: ['80'] },
      { 'files/c': 'as it is {{ tls }}\n' },
    );
    expect(files.map(({ path }) => path)).toEqual(['/etc/a.json', '/etc/b', '/etc/c', '/etc/d.yaml']);
    expect(JSON.parse(files[0]?.content ?? '')).toEqual({ ports: ['80', '1'], all: ['0', '80'], tls: false, text: 'is false', deep: { a: 1, b: 2 } });
    expect(files.slice(1).map((file) => file.content)).toEqual(['tls false\n', 'as it is {{ tls }}\n', 'a:\n  - false\n']);
  });

  test('bring packages by their names in the family, and the repositories of these', async () => {
    const found = await content('parts: [{ packages: [docker, docker-ce, curl], run: [{ name: x, script: cat, secret: token }] }]\n');
    expect(found.packages).toEqual(['curl', 'docker-ce', 'docker.io']);
    expect(found.repositories.map(({ name }) => name)).toEqual(['docker']);
    expect(found.run).toEqual([{ name: 'x', script: 'cat', secret: { secret: 'token', fingerprint: 'f' } }]);
  });

  test('are checked all together, each fault at its line', () => {
    const wrong = role(`${PORTS}parts:
  - { when: { tsl: true }, packages: [a] }
  - { when: { tls: 'yes' }, packages: [a] }
  - { packages: ['{{ prots }}'], filse: [] }
  - files: [{ path: etc/a, content: x }, { path: /b }]
  - { services: { docker: on } }
tests: [{ servcie: docker }]
`);
    expect(problems(() => chooseParts(wrong, undefined, parameterValues(wrong.head, {}).values))).toEqual([
      '3:15 parts[0].when.tsl: is neither a parameter of the role nor a fact of the image | Did you mean tls?',
      '4:20 parts[1].when.tls: can never be "yes"',
      '5:18 undefined: {{ prots }} is a parameter that the role does not declare | Did you mean ports? If it is no parameter of the role, write \\{{ prots }}.',
      '5:34 parts[2].filse: is unknown | Did you mean files?',
      '6:21 parts[3].files[0].path: must be an absolute path',
      '6:42 parts[3].files[1]: must have one of content, json, yaml and from',
      '7:27 parts[4].services.docker: must be enabled, disabled or masked',
      '8:11 tests[0].servcie: is unknown | Did you mean service?',
    ]);
  });

  test('cannot write one path twice, or bring a file that is not there', async () => {
    const twice = role('parts: [{ files: [{ path: /a, content: x }, { path: /a, content: y }, { path: /b, from: files/b }] }]\n');
    await expect(roleContent(twice, FACTS, new Map(), NEEDS)).rejects.toMatchObject({
      problems: [{ message: '/a is written twice' }, { message: "there is no files/b in the role's folder" }],
    });
  });
});

describe('a role file', () => {
  test('is refused with everything that is wrong', () => {
    expect(
      problems(() =>
        role(
          'pramaeters: {}\nparameters: { a: { description: x, type: number, default: b }, family: { description: x }, p: { description: x, pattern: "(" } }\n',
        ),
      ),
    ).toEqual(['1:1 pramaeters: is unknown | Did you mean parameters?']);
    expect(
      problems(() =>
        role('parameters: { a: { description: x, type: number, default: b }, family: { description: x }, p: { description: x, pattern: "(" } }\n'),
      ),
    ).toEqual([
      '1:59 parameters.a.default: must be a number, not text',
      '1:64 parameters.family: is the name of something that parts know already',
      '1:122 parameters.p.pattern: must be a regular expression',
    ]);
  });

  test('is called like its folder', () => {
    expect(() => loadRole({ origin: '', file: hostPath('/roles/other/role.yaml'), files: { 'role.yaml': HEAD } })).toThrow('has a problem');
  });

  test('whatever is in it, is a role or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          return role(text).head.role === 'web';
        } catch (error) {
          return error instanceof IngotError && error.code === 'role-invalid';
        }
      }),
    );
  });
});

describe('parameters', () => {
  const { head } = role(
    "parameters: { level: { description: How much, values: [low, high], default: low }, size: { description: How large, pattern: '[0-9]+m' } }\n",
  );
  const faults = (given: Readonly<Record<string, unknown>>): string[] =>
    parameterValues(head, given).faults.map(({ error }) => `${error.code} ${error.message}`);

  test('that are wrong are told one by one', () => {
    expect(faults({ size: '10m' })).toEqual([]);
    expect(faults({ levle: 'low', level: 'middle', size: 10 })).toEqual([
      'parameter-unknown The role web has no parameter "levle"',
      'parameter-wrong The parameter level of the role web is none of low, high',
      'parameter-wrong The parameter size of the role web must be text, not a number',
    ]);
    expect(faults({ size: '10' })).toEqual(['parameter-wrong The parameter size of the role web does not match [0-9]+m']);
    expect(faults({})).toEqual(['parameter-missing The role web needs its parameter size']);
  });
});

describe('roles together', () => {
  const one = (name: string, more: { conflicts?: string[]; requires?: (string | string[])[] } = {}) => ({ role: name, conflicts: [], requires: [], ...more });

  test('conflict whoever says so, also with what is below', () => {
    expect(relationProblems([one('a', { conflicts: ['b'] }), one('b')], [])).toEqual([{ role: 'b', message: 'the role b cannot be in the same image as a' }]);
    expect(relationProblems([one('b'), one('a', { conflicts: ['b'] })], []).map(({ role: name }) => name)).toEqual(['a']);
    expect(relationProblems([one('a', { conflicts: ['b'] })], ['b'])).toMatchObject([{ message: expect.stringContaining('which the image below has') }]);
  });

  test('require others, or one of several, here or below', () => {
    const kata = one('kata', { requires: [['docker', 'kubernetes']] });
    expect(relationProblems([kata], [])).toEqual([
      { role: 'kata', message: 'the role kata needs the role docker or kubernetes', hint: 'Add it: roles: [docker, kata].' },
    ]);
    expect(relationProblems([kata, one('kubernetes')], [])).toEqual([]);
    expect(relationProblems([kata], ['docker'])).toEqual([]);
  });

  test('are stacked so that what is required comes first, each once, in any order and with circles', () => {
    expect(inOrder([one('kata', { requires: [['docker', 'kubernetes']] }), one('web'), one('docker')])).toEqual(['docker', 'kata', 'web']);
    const names = ['a', 'b', 'c', 'd', 'e'];
    fc.assert(
      fc.property(fc.array(fc.record({ role: fc.constantFrom(...names), requires: fc.subarray(names) }), { maxLength: 5 }), (roles) => {
        const distinct = [...new Map(roles.map((each) => [each.role, { ...each, conflicts: [] }])).values()];
        expect(inOrder(distinct).toSorted()).toEqual(distinct.map(({ role: name }) => name).toSorted());
      }),
    );
  });
});

test('text that may be anything cannot stand in a script, since it would become shell', () => {
  const declared =
    'parameters: { a: { description: x, default: a }, b: { description: x, default: b, pattern: "[a-z]+" }, n: { type: number, description: x, default: 1 } }\n';
  const one = role(`${declared}parts: [{ run: [{ name: x, script: 'echo {{ a }} {{ b }} {{ n }}' }] }]\ntests: [{ command: 'echo {{ a }}' }]\n`);
  expect(problems(() => chooseParts(one, FACTS, parameterValues(one.head, {}).values))).toEqual([
    expect.stringMatching(/^2:\d+ parts\[0\]\.run\[0\]\.script: \{\{ a \}\} can be any text/),
    expect.stringMatching(/^3:\d+ tests\[0\]\.command: \{\{ a \}\} can be any text/),
  ]);
});
