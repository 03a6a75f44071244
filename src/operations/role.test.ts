import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { failureOf, problemsOf, templateFolder, type TemplateFolder } from '../../tests/support/templates.ts';
import { roleHash } from '../catalog/tested.ts';
import catalogRole from './catalog-role.ts';
import catalogRoles from './catalog-roles.ts';
import type { Operation } from './operation.ts';
import roleNew from './role-new.ts';
import roleValidate from './role-validate.ts';

async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, at: TemplateFolder, input: Record<string, unknown>) {
  const output = await operation.run(z.parse(operation.input, input), at.context);
  const checked = z.parse(operation.output, output);
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, { color: false, width: Infinity }) ?? '' };
}

test('what new writes is a role: it is right, listed and shown, templates can use it, and it is never replaced', async () => {
  await using at = await templateFolder({ 'web.yaml': 'from: debian-13\nroles: [{ hello: { port: 8080, status: true, admins: [192.0.2.0/24] } }]\n' });
  const { output, text } = await run(roleNew, at, { name: 'hello' });
  expect(output).toMatchObject({ folder: join(at.home.roles, 'hello'), use: 'roles: [hello]' });
  expect(text).toContain('ingot role validate hello');
  expect((await run(roleValidate, at, { role: 'hello' })).text).toMatch(
    /^hello \(version 1\) is right, in \d+ releases\.\n\nRELEASE[^]*\ndebian-11 +3 +4 +curl nginx +nginx\n/,
  );
  expect((await run(catalogRoles, at, {})).text).toMatch(/\nhello +debian +your folder +A we/);
  expect((await run(catalogRole, at, { role: 'hello' })).text).toMatch(/\nstatus +boolean +false +Serve its state at \/status/);
  const { roles } = await at.resolve();
  const content = roles[0]?.content;
  expect(content?.packages).toEqual(['curl', 'nginx']);
  const files = new Map(content?.files.map((file) => [file.path, String(file.content)]));
  expect(JSON.parse(files.get('/etc/hello.json') ?? '')).toEqual({ greeting: 'Hello', port: 8080, admins: ['192.0.2.0/24'] });
  expect([...files.keys()]).toContain('/etc/nginx/hello.d/status.conf');
  expect(content?.ports).toEqual(['8080/tcp']);
  expect(content?.tests).toHaveLength(5);

  const file = join(at.home.roles, 'hello', 'role.yaml');
  await writeFile(file, '# mine\n');
  expect(await failureOf(run(roleNew, at, { name: 'hello' }))).toMatchObject({ class: 'conflict', code: 'file-exists' });
  expect(await readFile(file, 'utf8')).toBe('# mine\n');
});

test('a role elsewhere is used by its path', async () => {
  await using at = await templateFolder({ 'web.yaml': 'from: debian-13\nroles: [./roles/hello]\n' });
  const { output } = await run(roleNew, at, { name: 'hello', folder: 'roles' });
  expect(output).toMatchObject({ folder: join(at.folder, 'roles', 'hello'), use: 'roles: [./roles/hello]', validate: 'ingot role validate ./roles/hello' });
  expect((await run(roleValidate, at, { role: './roles/hello' })).output.releases.length).toBeGreaterThan(2);
  expect((await at.resolve()).roles.map(({ name }) => name)).toEqual(['hello']);
});

test('a name that cannot be, and one of the catalog, are refused before anything is written', async () => {
  await using at = await templateFolder({});
  for (const name of ['Hello!', '../x', '-x', 'a b']) expect(await failureOf(run(roleNew, at, { name }))).toMatchObject({ code: 'name-invalid' });
  expect(await failureOf(run(roleNew, at, { name: 'docker' }))).toMatchObject({ code: 'role-in-catalog', hint: expect.stringContaining('--folder .') });
  expect((await run(catalogRoles, at, {})).output.roles.every(({ origin }) => origin === 'catalog')).toBe(true);
});

const ROLE = `role: mine
version: '1'
summary: Mine
parameters:
  size: { type: number, description: How large }
families: [debian]
`;

async function own(at: TemplateFolder, text: string, name = 'mine'): Promise<void> {
  await mkdir(join(at.home.roles, name), { recursive: true });
  await writeFile(join(at.home.roles, name, 'role.yaml'), text);
}

test('validate finds what is wrong in parts that are switched off, and in names of one release', async () => {
  await using at = await templateFolder({});
  await own(at, `${ROLE}parts:\n  - when: { size: 7 }\n    fils: []\n`);
  expect(await problemsOf(run(roleValidate, at, { role: 'mine' }))).toEqual([expect.stringMatching(/role\.yaml:9:5 parts\[0\].*fils/)]);
  await own(at, `${ROLE}parts:\n  - when: { release: debian-12 }\n    packages: [valkey]\n`);
  expect(await failureOf(run(roleValidate, at, { role: 'mine' }))).toMatchObject({
    code: 'package-unsupported',
    message: 'debian-12 has no package for valkey',
  });
  await own(at, `${ROLE}except: { debian-12: Too old }\nparts:\n  - when: { release: debian-12 }\n    packages: [valkey]\n`);
  const { output } = await run(roleValidate, at, { role: 'mine' });
  expect(output.releases.map(({ release }) => release)).not.toContain('debian-12');
  await own(at, `${ROLE}parts:\n  - repositories: [dokcer]\n`);
  expect(await failureOf(run(roleValidate, at, { role: 'mine' }))).toMatchObject({ code: 'repository-unknown', hint: 'Did you mean docker?' });
});

test('parameters are given by their types', async () => {
  await using at = await templateFolder({});
  await own(at, `${ROLE}parts:\n  - when: { size: 7 }\n    packages: [curl]\n`);
  const packages = async (parameter: string[]): Promise<string[] | undefined> =>
    (await run(roleValidate, at, { role: 'mine', parameter })).output.releases[0]?.packages;
  expect(await packages([])).toEqual([]);
  expect(await packages(['size=7'])).toEqual(['curl']);
  expect(await failureOf(packages(['size=x']))).toMatchObject({ code: 'parameter-wrong' });
  expect(await failureOf(packages(['sise=7']))).toMatchObject({ code: 'parameter-unknown', hint: 'Did you mean size?' });
});

test('what is said of roles is broken into lines, and no word of it is lost', async () => {
  await using at = await templateFolder({});
  const words = (text: string): string[] => text.split(/\s+/).toSorted();
  const { output } = await run(catalogRole, at, { role: 'registry' });
  const narrow = catalogRole.render?.(output, { color: false, width: 80 }) ?? '';
  const table = narrow.slice(narrow.indexOf('PARAMETER'));
  expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(words(narrow)).toEqual(words(catalogRole.render?.(output, { color: false, width: Infinity }) ?? ''));
});

test('one of yours that is broken is listed with what is wrong', async () => {
  await using at = await templateFolder({});
  await own(at, 'role: [\n');
  const { output, text } = await run(catalogRoles, at, {});
  expect(output.roles.find(({ name }) => name === 'mine')?.problem).toMatch(/role\.yaml has a problem/);
  expect(text).toMatch(/\nmine +your folder +The role file/);
});

test('a role of the catalog shows where it was tested; what was said of an older one is stale, and stand-ins never count', async () => {
  await using at = await templateFolder({});
  const { output } = await run(catalogRole, at, { role: 'docker' });
  expect(output.releases).toContain('debian-13');
  const row = { variant: 'default', built: true, booted: true, passed: 2, failed: [], bytes: 5_000_000, seconds: 12 };
  const render = (rows: readonly object[]): string =>
    catalogRole.render?.({ ...output, tested: z.parse(catalogRole.output.shape.tested, rows) }, { color: false, width: 100 }) ?? '';
  expect(render([])).toContain('Nobody has built and booted it');
  const text = render([
    { ...row, release: 'debian-12', standing: 'tested' },
    { ...row, release: 'debian-13', standing: 'stand-in' },
    { ...row, release: 'debian-11', standing: 'failed', passed: 1, failed: ['it answers'] },
    { ...row, release: 'debian-sid', standing: 'failed', booted: false },
  ]);
  expect(text).toMatch(/\ndebian-12 +default +tested +2 of 2 +4\.8 MiB +12 ?s/);
  expect(text).toMatch(/\ndebian-13 +default +stand-in /);
  expect(text).toMatch(/\ndebian-11 +default +failed: it answers +1 of 2/);
  expect(text).toMatch(/\ndebian-sid +default +did not boot/);
  expect(roleHash({ 'role.yaml': 'a' })).not.toBe(roleHash({ 'role.yaml': 'b' }));
});
