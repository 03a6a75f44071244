import fc from 'fast-check';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { IngotError } from './errors.ts';
import { changedText, changeSetting, readSettingsText, replaceSettings } from './settings-file.ts';
import { explainSettings, readLevels } from './settings-levels.ts';
import { settingNames } from './settings-schema.ts';
import { settingFromText } from './settings-values.ts';
import { builtInSettings, loadSettings, PROJECT_FILE, shownValue, type SettingsPlace } from './settings.ts';
import { hostPath } from './types.ts';

function placeOf(at: SampleHome, env: Record<string, string> = {}, folder?: string): SettingsPlace {
  return { host: { files: at.host.files, env }, home: at.home, folder: folder === undefined ? undefined : hostPath(folder) };
}

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof IngotError) return error;
  throw new Error('it did not fail as expected', { cause: error });
}

const user = (text: string) => readSettingsText(text, '/s.yaml', 'user');
const project = (text: string) => readSettingsText(text, '/s.yaml', 'project');

test('distribution-mirrors is a list of pairs, which holds no password', () => {
  for (const text of ['ubuntu=http://m.example/ubuntu', 'ubuntu/arm64 = https://m.example/ports, ubuntu-security=http://m.example/s'])
    expect(settingFromText('distribution-mirrors', text)).toEqual({ value: text });
  for (const text of [
    '',
    'ubuntu',
    'ubuntu=',
    'ubuntu=ftp://m.example',
    'ubuntu/ppc64=http://m.example',
    'ubuntu=http://me:hunter2@m.example',
    'a=http://m b=http://n',
  ])
    expect(settingFromText('distribution-mirrors', text)).toHaveProperty('problem');
});

test('role-images is a list of pairs', () => {
  for (const text of ['docker=mine', 'docker=mine:1.2, redis = cache@sha256:00']) expect(settingFromText('role-images', text)).toEqual({ value: text });
  for (const text of ['docker', 'docker=', '=x', 'docker=a,,redis=b', 'docker=a redis=b', ''])
    expect(settingFromText('role-images', text)).toHaveProperty('problem');
  expect(project('role-images: docker=mine\n').problems).toMatchObject([{ path: 'role-images', message: 'cannot be set by the file of a project' }]);
});

describe('levels', () => {
  test('without any setting, what is built in holds', async () => {
    await using at = await sampleHome();
    expect(await loadSettings(placeOf(at))).toEqual({
      workspace: 'auto',
      gate: 'quick',
      'image-prune': 'never',
      'cache-push': 'no',
      'alert-after': 60,
      'default-release': 'debian-12',
      'log-level': 'info',
      'cpu-overcommit': 4,
      'memory-overcommit': 1,
      templates: at.home.templates,
    });
  });

  test('the environment wins over the project, that over the user, that over what is built in', async () => {
    await using at = await sampleHome();
    const folder = join(at.home.root, 'project', 'deep', 'er');
    await mkdir(folder, { recursive: true });
    await writeFile(join(at.home.root, 'project', PROJECT_FILE), 'jobs: 3\nlog-level: debug\n');
    await writeFile(at.home.settings, 'jobs: 2\nlog-level: warn\ngate: full\ntemplates: ~/t\n');
    const place = placeOf(at, { INGOT_JOBS: '4', INGOT_SECRET_X: 'jobs', INGOT_GATE: '', HOME: '/home/me' }, folder);
    const settings = await loadSettings(place);
    expect(settings).toEqual({
      ...builtInSettings(at.home),
      jobs: 4,
      'log-level': 'debug',
      gate: 'full',
      templates: '/home/me/t',
    });
    const states = explainSettings(await readLevels(place), place);
    const said = states.filter(({ origin }) => origin !== 'built-in');
    expect(Object.fromEntries(said.map(({ name, origin }) => [name, origin]))).toEqual({
      jobs: 'environment',
      gate: 'user',
      templates: 'user',
      'log-level': 'project',
    });
    expect(states.length).toBeGreaterThan(said.length);
    expect(states.find(({ name }) => name === 'jobs')?.where).toBe('INGOT_JOBS');
    expect(states.find(({ name }) => name === 'gate')).toMatchObject({ value: 'full', default: 'quick', where: at.home.settings });
  });

  test('all problems of all levels are named at once, and none shows the value', async () => {
    await using at = await sampleHome();
    await writeFile(at.home.settings, '# mine\nmiror: https://a\njobs: zero\nmirror: ftp://me:password@host\nworkspace: hsot\n');
    await writeFile(join(at.home.root, PROJECT_FILE), 'gate: none\n');
    const error = await failure(loadSettings(placeOf(at, { INGOT_LOG_LEVEL: 'inf' }, at.home.root)));
    expect(error.code).toBe('settings-invalid');
    expect(error.problems.map(({ path, position, hint }) => [path, position?.line, position?.column, hint])).toEqual([
      ['INGOT_LOG_LEVEL', undefined, undefined, 'Did you mean info?'],
      ['gate', 1, 7, expect.stringContaining('without --project')],
      ['miror', 2, 1, 'Did you mean mirror?'],
      ['jobs', 3, 7, undefined],
      ['mirror', 4, 9, undefined],
      ['workspace', 5, 12, 'Did you mean host?'],
    ]);
    expect(JSON.stringify(error.problems)).not.toContain('password');
  });

  test('the settings that are built in are those of the schema', async () => {
    await using at = await sampleHome();
    const place = placeOf(at, { INGOT_JOBS: '1' });
    expect(await loadSettings(place)).toEqual({ ...builtInSettings(at.home), jobs: 1 });
  });
});

test('the file of a project counts in no folder that all share', async () => {
  await using at = await sampleHome();
  const folder = join(at.home.root, 'tmp', 'mine');
  await mkdir(folder, { recursive: true });
  await writeFile(join(at.home.root, 'tmp', PROJECT_FILE), 'jobs: 3\n');
  expect((await loadSettings(placeOf(at, {}, folder))).jobs).toBe(3);
  await chmod(join(at.home.root, 'tmp'), 0o1777);
  expect((await loadSettings(placeOf(at, {}, folder))).jobs).toBeUndefined();
});

describe('a file', () => {
  test.each(['', '# nothing\n', 'null\n', '{}\n'])('may be empty: %j', (text) => {
    expect(user(text)).toEqual({ values: {}, problems: [] });
  });

  test.each([
    '- a\n',
    'text\n',
    'jobs: 1\njobs: 2\n',
    'jobs: [1]\n',
    'jobs: {a: 1}\n',
    'jobs:\n',
    'a: b: c\n',
    '"\n',
    'jobs: &a 1\nmirror: *a\n',
    '? [x]\n: 1\n',
    '1: 2\n',
  ])('is refused with a place: %j', (text) => {
    const { problems } = user(text);
    expect(problems.length).toBeGreaterThan(0);
    for (const { position } of problems) expect(position?.line).toBeGreaterThan(0);
  });

  test('of a project sets neither where things come from, nor less protection', () => {
    for (const text of [
      'mirror: https://evil.example',
      'security-mirror: https://evil.example',
      'distribution-mirrors: ubuntu=https://evil.example',
      'templates: /etc',
      'workspace: host',
      'workspace: auto',
      'gate: none',
    ])
      expect([text, project(text).problems.length, Object.keys(project(text).values)]).toEqual([text, 1, []]);
    expect(project('workspace: vm\ngate: full\njobs: 2\nlog-level: debug\n').problems).toEqual([]);
  });

  test('never breaks the reader, whatever is in it', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z:\-\n #&*!{}[\],'"0-9]{0,60}$/)), (text) => void user(text)));
  });
});

describe('a change', () => {
  const lines = fc.array(fc.constantFrom('# a comment', '', 'jobs: 3 # as many', 'gate: full', "mirror: 'http://m.example/debian'", 'log-level: warn'), {
    maxLength: 8,
  });
  const unique = lines.map((all) => all.filter((line, index) => line === '' || line.startsWith('#') || all.indexOf(line) === index));

  test('keeps all other settings and every comment', () => {
    fc.assert(
      fc.property(unique, fc.constantFrom(...settingNames()), fc.constantFrom(1, 7, undefined), (all, name, value) => {
        const before = all.map((line) => `${line}\n`).join('');
        const after = changedText(before, '/s.yaml', name, value);
        const [was, is]: Record<string, unknown>[] = [parse(before) ?? {}, parse(after) ?? {}];
        const { [name]: _old, ...others } = was ?? {};
        expect(is).toEqual(value === undefined ? others : { ...others, [name]: value });
        // A comment goes only with the setting that it stands beside or right above.
        const kept = (text: string): number => text.split('# a comment').length - 1;
        if (value !== undefined) expect(kept(after)).toBe(kept(before));
      }),
    );
  });

  test('is written with the mode of its level, by one at a time', async () => {
    await using at = await sampleHome();
    const mine = { file: at.home.settings, level: 'user' } as const;
    await writeFile(at.home.settings, '# mine\njobs: 2 # two\n', { mode: 0o644 });
    await Promise.all([
      changeSetting(at.host, at.home, mine, 'gate', 'full'),
      changeSetting(at.host, at.home, mine, 'log-level', 'debug'),
      changeSetting(at.host, at.home, mine, 'jobs', 5),
    ]);
    expect((await stat(at.home.settings)).mode & 0o777).toBe(0o600);
    const text = await readFile(at.home.settings, 'utf8');
    expect(text).toContain('# mine\njobs: 5 # two\n');
    expect(parse(text)).toEqual({ jobs: 5, gate: 'full', 'log-level': 'debug' });
    expect(await changeSetting(at.host, at.home, mine, 'jobs', 5)).toBe(false);
    expect(await changeSetting(at.host, at.home, mine, 'mirror', undefined)).toBe(false);
  });

  test('of a file that is no YAML is refused, and nothing is lost', async () => {
    await using at = await sampleHome();
    await writeFile(at.home.settings, 'jobs: [\n');
    const error = await failure(changeSetting(at.host, at.home, { file: at.home.settings, level: 'user' }, 'jobs', 1));
    expect(error.code).toBe('settings-invalid');
    expect(await readFile(at.home.settings, 'utf8')).toBe('jobs: [\n');
  });

  test('of a link is refused: the file that it points to is kept by others', async () => {
    await using at = await sampleHome();
    await writeFile(join(at.home.root, 'dotfile'), 'jobs: 4\n');
    await symlink(join(at.home.root, 'dotfile'), at.home.settings);
    expect((await loadSettings(placeOf(at))).jobs).toBe(4);
    expect((await failure(changeSetting(at.host, at.home, { file: at.home.settings, level: 'user' }, 'jobs', 5))).code).toBe('settings-linked');
    expect(await readFile(join(at.home.root, 'dotfile'), 'utf8')).toBe('jobs: 4\n');
  });

  test('by an editor loses nothing that another wrote meanwhile', async () => {
    await using at = await sampleHome();
    const mine = { file: at.home.settings, level: 'user' } as const;
    await replaceSettings(at.host, at.home, mine, '', 'jobs: 1\n');
    expect((await failure(replaceSettings(at.host, at.home, mine, '', 'jobs: 2\n'))).code).toBe('settings-changed');
    expect((await failure(replaceSettings(at.host, at.home, mine, 'jobs: 1\n', 'jobs: x\n'))).code).toBe('settings-invalid');
    expect(await readFile(at.home.settings, 'utf8')).toBe('jobs: 1\n');
  });
});

test('values from the command line and the environment', () => {
  expect(settingFromText('jobs', '4')).toEqual({ value: 4 });
  expect(settingFromText('jobs', '0')).toEqual({ problem: { message: 'is less than 1' } });
  expect(settingFromText('jobs', '1.5')).toEqual({ problem: { message: 'is not a whole number' } });
  expect(settingFromText('templates', 'here')).toMatchObject({ problem: { message: expect.stringContaining('absolute') } });
});

test('the password of an address is never shown', () => {
  expect(shownValue('https://me:secret@m.example/debian')).toBe('https://***@m.example/debian');
  expect(shownValue('https://token@m.example/debian')).toBe('https://***@m.example/debian');
  expect(shownValue('https://m.example/debian?key=secret')).toBe('https://m.example/debian?***');
  expect(shownValue('http://m.example/debian')).toBe('http://m.example/debian');
  expect(shownValue(4)).toBe('4');
});
