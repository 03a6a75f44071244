import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { failureOf, problemsOf, templateFolder } from '../../tests/support/templates.ts';
import { IngotError } from '../base/errors.ts';
import { STEP_SCHEMAS } from './step-schema.ts';
import { templateSchema } from './schema.ts';

describe('joining files', () => {
  test('maps are merged, lists joined with the parent first, single values replaced, users of one name merged', async () => {
    await using at = await templateFolder({
      'web.yaml':
        'extends: base.yaml\ninclude: [parts/nginx.yaml]\nname: web\npackages: [curl]\nusers: [{ name: admin, shell: /bin/zsh, ssh-keys: [b] }]\nsystem: { sysctl: { a: 2, c: 3 } }\nfrom: debian-13\n',
      'base.yaml':
        'from: { image: base }\nname: base\nversion: "1"\npackages: [htop]\nusers: [{ name: admin, sudo: true, ssh-keys: [a] }, { name: other }]\nsystem: { timezone: Europe/Zurich, sysctl: { a: 1, b: 1 } }\n',
      'parts/nginx.yaml': 'packages: [nginx]\nsteps: [{ service: nginx }]\n',
    });
    const { template, files } = await at.load();
    expect(template).toMatchObject({
      name: 'web',
      version: '1',
      from: 'debian-13',
      packages: ['htop', 'nginx', 'curl'],
      system: { timezone: 'Europe/Zurich', sysctl: { a: 2, b: 1, c: 3 } },
      steps: [{ service: 'nginx', state: 'enabled' }],
    });
    expect(template.users.map(({ name, sudo, shell, 'ssh-keys': keys }) => [name, sudo, shell, keys])).toEqual([
      ['admin', true, '/bin/zsh', ['a', 'b']],
      ['other', false, undefined, []],
    ]);
    expect(files.map((file) => file.slice(at.folder.length + 1))).toEqual(['base.yaml', 'parts/nginx.yaml', 'web.yaml']);
  });

  test('a file that two others name is joined once', async () => {
    await using at = await templateFolder({
      'web.yaml': 'include: [a.yaml, b.yaml]\nfrom: debian-12\n',
      'a.yaml': 'include: [common.yaml]\npackages: [a]\n',
      'b.yaml': 'include: [common.yaml]\npackages: [b]\n',
      'common.yaml': 'packages: [common]\n',
    });
    expect((await at.load()).template.packages).toEqual(['common', 'a', 'b']);
  });

  test('what a file leaves empty stays as it was', async () => {
    await using at = await templateFolder({ 'web.yaml': 'extends: base.yaml\npackages:\nusers:\n', 'base.yaml': 'from: debian-12\npackages: [a]\n' });
    expect((await at.load()).template).toMatchObject({ packages: ['a'], users: [] });
  });

  test('circles are named, wherever they begin', async () => {
    await using at = await templateFolder({
      'a.yaml': 'extends: b.yaml\n',
      'b.yaml': 'include: [c.yaml]\n',
      'c.yaml': 'extends: b.yaml\n',
      'self.yaml': 'extends: self.yaml\n',
    });
    expect(await problemsOf(at.load({}, 'a.yaml'))).toEqual(['c.yaml:1:10 files that name each other in a circle: b.yaml -> c.yaml -> b.yaml']);
    expect(await problemsOf(at.load({}, 'self.yaml'))).toEqual(['self.yaml:1:10 files that name each other in a circle: self.yaml -> self.yaml']);
  });

  test('what is named and cannot be used is told with its place', async () => {
    await using at = await templateFolder({
      'sub/web.yaml': 'extends: bse.yaml\ninclude: [/etc/passwd, ../out.yaml, ~/x.yaml, link.yaml, folder, "{{ x }}", 3]\n',
      'sub/base.yaml': 'from: debian-12\n',
      'sub/folder/x.yaml': '',
      'out.yaml': 'from: debian-12\n',
    });
    await symlink('../out.yaml', join(at.folder, 'sub', 'link.yaml'));
    const problems = await problemsOf(at.load({}, 'sub/web.yaml'));
    expect(problems[0]).toBe('sub/web.yaml:1:10 extends: there is no bse.yaml | Did you mean base.yaml?');
    expect(problems[1]).toMatch(/^sub\/web.yaml:2:11 include: must be relative to the template's folder/);
    expect(problems[2]).toMatch(/^sub\/web.yaml:2:24 include: leads out of the template's folder \| Nothing outside .*\/sub can be named/);
    expect(problems[3]).toMatch(/^sub\/web.yaml:2:37 include: must be relative to the template's folder, without ~/);
    expect(problems[4]).toMatch(/^sub\/web.yaml:2:47 include: leads out of the template's folder, through a link to .*\/out.yaml/);
    expect(problems[5]).toBe('sub/web.yaml:2:58 include: folder is a folder, not a file');
    expect(problems[6]).toMatch(/^sub\/web.yaml:2:66 include: cannot hold a variable/);
    expect(problems[7]).toBe('sub/web.yaml:2:77 include: must be a list of file names');
    expect(problems).toHaveLength(8);
  });

  test("a project's settings file makes its folder the border", async () => {
    await using at = await templateFolder({ 'ingot.settings.yaml': '', 'images/web.yaml': 'extends: ../base.yaml\n', 'base.yaml': 'from: debian-12\n' });
    expect((await at.load({}, 'images/web.yaml')).template.from).toBe('debian-12');
  });
});

describe('variables', () => {
  const declared = `
from: debian-12
variables:
  port: { type: number, default: 80 }
  debug: { type: boolean, default: false }
  mode: { default: fast, values: [fast, safe] }
  extra: [curl, jq]
  word: { default: a1, pattern: '[a-z]\\d' }
packages: [nginx, "{{ extra }}", "{{word}}"]
steps:
  - run: "listen {{ port }} {{ debug }} {{mode}} {{.Names}} {{ 3 }} \\\\{{ port }} \${{x}"
    env: { PORT: "{{ port }}" }
    network: "{{ debug }}"
`;

  test('take their type where they stand alone, and text inside text', async () => {
    await using at = await templateFolder({ 'web.yaml': declared });
    const { template, variables } = await at.load({ port: '8080', debug: 'true' });
    expect(template.packages).toEqual(['nginx', 'curl', 'jq', 'a1']);
    expect(template.steps).toMatchObject([{ run: 'listen 8080 true fast {{.Names}} {{ 3 }} {{ port }} ${{x}', env: { PORT: '8080' }, network: true }]);
    expect(variables).toEqual({ port: 8080, debug: true, mode: 'fast', extra: ['curl', 'jq'], word: 'a1' });
  });

  test('are set by --var, else the environment, else their default', async () => {
    await using at = await templateFolder({ 'web.yaml': declared }, (host) => ({
      ...host,
      env: { INGOT_VAR_PORT: '81', INGOT_VAR_MODE: 'safe', INGOT_VAR_EXTRA: 'a, b' },
    }));
    expect((await at.load({ port: '82' })).variables).toEqual({ port: 82, debug: false, mode: 'safe', extra: ['a', 'b'], word: 'a1' });
  });

  test('everything wrong with them is told at once', async () => {
    await using at = await templateFolder({
      'web.yaml':
        'from: debian-12\nvariables:\n  port: { type: number }\n  size: { type: number, default: x }\n  bad: { typ: list }\n  pattern: { pattern: "(" }\n  mode: { default: fast, values: [fast, safe] }\n  list: [a]\nlabels:\n  a: "{{ prot }}"\n  b: "x {{ list }}"\n',
    });
    expect(await problemsOf(at.load({ mode: 'quick', poort: '1' }))).toEqual([
      'web.yaml:3:3 --var sets poort, which the template does not declare | Did you mean port?',
      'web.yaml:3:3 variables.port: is not set and has no default | Set it with --var port=… or INGOT_VAR_PORT.',
      'web.yaml:4:34 variables.size.default: must be a number, as its type says',
      'web.yaml:5:10 variables.bad.typ: is unknown | Did you mean type?',
      'web.yaml:6:23 variables.pattern.pattern: must be a regular expression',
      'web.yaml:7:3 variables.mode: --var mode is none of fast, safe',
      'web.yaml:10:6 {{ prot }} is a variable that the template does not declare | Did you mean port? If it is no variable of the template, write \\{{ prot }}.',
      'web.yaml:11:6 list is a list, which cannot stand in a text',
    ]);
    expect(await problemsOf(at.load({ port: 'many' }))).toContain('web.yaml:3:3 variables.port: --var port sets it to something that is not a number');
  });

  test('a file above gives a new default without saying the type again', async () => {
    await using at = await templateFolder({
      'web.yaml': 'extends: base.yaml\nvariables: { port: 443, extra: [x] }\n',
      'base.yaml': 'from: debian-12\nvariables: { port: { type: number, default: 80 }, extra: [a, b] }\n',
    });
    expect((await at.load()).variables).toEqual({ port: 443, extra: ['x'] });
  });
});

describe('what is wrong', () => {
  test('is told all at once, each in plain words at its own line, in the file where it stands', async () => {
    await using at = await templateFolder({
      'web.yaml': `extends: base.yaml
nam: web
packages: nginx
disk: { size: 8, partitions: [{ mount: var, size: big }] }
steps:
  - rum: x
  - run: x
    script: y
    tiemout: 3
  - copy: site
    to: /x
    mode: 0644
  - apt-get update
  - file: /x
  - { name: nothing }
  - run: x
    timeout: 5 minutes
  - run: x
    nam: y
  - run: x
    copy: y
tests:
  - port: 70000
  - comand: x
network: { ethernets: { "e th": {} } }
arch: amd46
roles: [{ docker: {}, lxd: {} }]
`,
      'base.yaml': 'from: { relase: debian-12 }\nusers: [{ name: admin, shel: /bin/sh }]\nsystem: { sshd: { port: "22" }, trusted-ca: [{ fil: x }] }\n',
    });
    const problems = await problemsOf(at.load());
    expect(problems).toEqual([
      'base.yaml:1:9 from.relase: is unknown | Did you mean release?',
      'base.yaml:2:24 users[0].shel: is unknown | Did you mean shell?',
      'base.yaml:3:25 system.sshd.port: must be a number, not text',
      'base.yaml:3:48 system.trusted-ca[0].fil: is unknown | Did you mean file or url?',
      'web.yaml:2:1 nam: is unknown | Did you mean name?',
      'web.yaml:3:11 packages: must be a list, not text',
      'web.yaml:4:15 disk.size: must be text, not a number | For example 8GiB.',
      'web.yaml:4:40 disk.partitions[0].mount: must be an absolute path',
      'web.yaml:4:51 disk.partitions[0].size: "big" is not a size. Write a number and a unit: 10GiB, 512MiB.',
      'web.yaml:6:5 steps[0].rum: is unknown | Did you mean run?',
      'web.yaml:8:5 steps[1].script: is another kind of step: each step is either run or script',
      'web.yaml:9:5 steps[1].tiemout: is unknown | Did you mean timeout?',
      'web.yaml:12:11 steps[2].mode: must be text, not a number | Put it into quotes: "0644".',
      'web.yaml:13:5 steps[3]: must be a step such as `run: …`, not text | The kinds are run, script, copy, file, service, ansible.',
      'web.yaml:14:5 steps[4].content: is missing',
      'web.yaml:15:5 steps[5]: is no kind of step | The kinds are run, script, copy, file, service, ansible.',
      'web.yaml:17:14 steps[6].timeout: must be a number and s, m or h, such as 10m',
      'web.yaml:19:5 steps[7].nam: is unknown | Did you mean name?',
      'web.yaml:21:5 steps[8].copy: is another kind of step: each step is either run or copy',
      'web.yaml:23:11 tests[0].port: must be at most 65535',
      'web.yaml:24:5 tests[1].comand: is unknown | Did you mean command?',
      'web.yaml:25:25 network.ethernets.e th: must be a name of an interface',
      'web.yaml:26:7 arch: must be amd64 or arm64 | Did you mean amd64?',
      'web.yaml:27:9 roles[0]: must be one role with its parameters',
    ]);
    const error = await failureOf(at.load());
    expect(error).toMatchObject({ class: 'usage', code: 'template-invalid', message: 'The template web.yaml has 24 problems' });
    expect(error.problems.find(({ path }) => path === 'nam')).toMatchObject({ source: 'nam: web' });
  });

  test.each([
    ['no YAML', 'a: b: c', 'web.yaml:1:4 is not YAML'],
    ['a list', '- a', 'web.yaml:1:1 is not a template'],
    ['a text', 'hello', 'web.yaml:1:1 is not a template'],
    ['a key twice', 'name: a\nname: b', 'web.yaml:2:1 name: is there twice'],
    ['a tag', 'name: !!js/function x', 'web.yaml:1:7 has a tag'],
    ['binary data in a tag', 'name: !!binary aGk=', 'web.yaml:1:7 has a tag'],
    ['two documents', 'name: a\n---\nname: b', 'web.yaml:2:1 holds more than one document'],
    ['a merge key', 'x: &x { a: 1 }\ndisk: { <<: *x }', 'web.yaml:1:1 x: is unknown'],
    ['an anchor that is not there', 'name: *x', 'web.yaml:1:7 names an anchor &x that is not there'],
    ['an anchor in itself', 'labels: &x { a: *x }', 'web.yaml:1:17 *x holds itself'],
    ['a prototype', '__proto__: { name: x }', 'web.yaml:1:1 has a key that is not a name'],
    ['an endless number', 'disk: { size: .inf }', 'web.yaml:1:15 is a number that templates do not know'],
  ])('%s is refused', async (_, text, start) => {
    await using at = await templateFolder({ 'web.yaml': text });
    const [first = ''] = await problemsOf(at.load());
    expect(first.startsWith(start), first).toBe(true);
  });

  test('an empty file, bytes that are no text, a folder, and no file', async () => {
    await using at = await templateFolder({ 'web.yaml': '# nothing\n', 'bytes.yaml': Buffer.from([0xff, 0xfe, 0x00]), 'folder.yaml/x': '' });
    expect(await failureOf(at.load())).toMatchObject({ code: 'template-invalid', message: 'web.yaml is empty' });
    expect(await problemsOf(at.load({}, 'bytes.yaml'))).toEqual(['bytes.yaml:1:1 is not text in UTF-8']);
    expect(await problemsOf(at.load({}, 'folder.yaml'))).toEqual(['folder.yaml:1:1 is not a file']);
    expect(await failureOf(at.load({}, 'none.yaml'))).toMatchObject({ class: 'not-found', code: 'template-missing' });
  });
});

describe('bombs', { timeout: 60_000 }, () => {
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 9 }, () => `*l${i}`).join(', ')}]`);
  test.each([
    ['aliases of aliases', `l0: &l0 [lol, lol]\n${levels.join('\n')}\n`, /more than 50000 values/],
    [
      'maps of aliases',
      `a: &a {x: 1, y: 2}\n${'bcdefghijklmnopqr'
        .split('')
        .map((name, i) => `${name}: &${name} {x: *${'abcdefghijklmnopq'[i]}, y: *${'abcdefghijklmnopq'[i]}}`)
        .join('\n')}\n`,
      /more than 50000 values/,
    ],
    ['nesting', `labels: ${'['.repeat(60)}${']'.repeat(60)}`, /deeper than 50/],
    ['nesting beyond any stack', `labels: ${'['.repeat(200_000)}`, /deeper than 50|not YAML/],
    ['size', `# ${'x'.repeat(2 ** 20)}\n`, /larger than 1.0 MiB/],
    ['a hundred thousand keys', Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 50000 values/],
  ])('%s', async (_, text, message) => {
    await using at = await templateFolder({ 'web.yaml': text });
    expect((await problemsOf(at.load())).join('\n')).toMatch(message);
  });

  test('files that include many others', async () => {
    const files = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${i}.yaml`, `include: [f${(i + 1) % 151}.yaml, f${(i + 2) % 151}.yaml]\n`]));
    await using at = await templateFolder({ ...files, 'f150.yaml': '', 'web.yaml': 'include: [f0.yaml]\n' });
    expect((await problemsOf(at.load())).join('\n')).toMatch(/joined from 100 files at most/);
  });
});

describe('whatever is in the file', { timeout: 60_000 }, () => {
  const key = fc.constantFrom(...Object.keys(templateSchema.shape), ...Object.keys(STEP_SCHEMAS), 'to', 'mode', 'name', 'sshd', 'port', 'file', 'url', 'x');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, fc.string(), fc.constantFrom('{{ x }}', 'debian-12', '/x', null), fc.integer(), fc.boolean(), tie('list'), tie('map')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    map: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  }));
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          '\n',
          '  ',
          '- ',
          ': ',
          '{',
          '}',
          '[',
          ']',
          '&a ',
          '*a ',
          '"',
          "'",
          '|',
          '>',
          '#',
          '!',
          '%',
          '---',
          '?',
          'name',
          'steps',
          'run',
          '{{ x }}',
          '\t',
        ),
        { maxLength: 60 },
      )
      .map((parts) => parts.join('')),
    value.map((made) => stringify(made)),
    fc.dictionary(key, value).map((made) => stringify(made)),
  );

  test('it is a template, or an error that tells what is wrong', async () => {
    await using at = await templateFolder({});
    let name = 0;
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        const file = `f${(name += 1)}.yaml`;
        await at.write({ [file]: content });
        try {
          expect((await at.load({}, file)).template).toBeTypeOf('object');
        } catch (error) {
          if (!(error instanceof IngotError)) throw error;
          expect(error.code).toBe('template-invalid');
          expect(error.problems.length + Number(error.message.endsWith('is empty'))).toBeGreaterThan(0);
          for (const { position, message } of error.problems) {
            expect(position?.line).toBeGreaterThan(0);
            expect(message).not.toMatch(/undefined|\[object|Invalid|ZodError/);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test('a plain value survives being written and loaded: nothing is read that was not written', async () => {
    await using at = await templateFolder({});
    let name = 0;
    const word = fc.string({ minLength: 1, maxLength: 20 }).filter((made) => !made.includes('{{'));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          word.filter((made) => made !== '__proto__'),
          word,
        ),
        fc.array(fc.stringMatching(/^[a-z][a-z0-9.+-]{0,10}$/)),
        async (labels, packages) => {
          const file = `v${(name += 1)}.yaml`;
          await at.write({ [file]: stringify({ from: 'debian-12', labels, packages }) });
          expect((await at.load({}, file)).template).toMatchObject({ labels, packages });
        },
      ),
      { numRuns: 100 },
    );
  });
});
