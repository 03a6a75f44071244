import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { IngotError } from '../base/errors.ts';
import { Events } from '../base/events.ts';
import { openSecrets } from '../base/secrets.ts';
import { builtInSettings, PROJECT_FILE } from '../base/settings.ts';
import { hostPath } from '../base/types.ts';
import configEdit from './config-edit.ts';
import configGet from './config-get.ts';
import configList from './config-list.ts';
import configSet from './config-set.ts';
import configUnset from './config-unset.ts';
import type { Context, Operation } from './operation.ts';
import secretList from './secret-list.ts';
import secretRemove from './secret-remove.ts';
import secretSet from './secret-set.ts';

const PLAIN = { color: false, width: 100 };

interface User {
  readonly env?: Readonly<Record<string, string>>;
  /** What is typed when something is asked without echo. */
  readonly typed?: string[];
  readonly piped?: string | Uint8Array;
  /** What the editor makes of the file, once for each time that it is opened. */
  readonly edits?: ((text: string) => string)[];
  readonly agrees?: boolean;
}

function contextOf(at: SampleHome, user: User = {}): Context & { readonly messages: string[]; readonly questions: string[] } {
  const [messages, questions]: [string[], string[]] = [[], []];
  return {
    host: { ...at.host, env: user.env ?? {} },
    home: at.home,
    settings: builtInSettings(at.home),
    folder: hostPath(at.home.root),
    events: new Events('test', (event) => void (event.type === 'message' && messages.push(event.text)), at.host),
    signal: new AbortController().signal,
    verbose: false,
    consent: (question) => Promise.resolve(questions.push(question) > 0 && user.agrees === true),
    askHidden: (question) => {
      questions.push(question);
      const answer = user.typed?.shift();
      return answer === undefined ? Promise.reject(new IngotError('usage', 'input-needed', question)) : Promise.resolve(answer);
    },
    standardInput: () => Promise.resolve(user.piped === undefined ? undefined : Buffer.from(user.piped)),
    attach: async (argv) => {
      const [path, edit] = [argv.at(-1) ?? '', user.edits?.shift()];
      if (edit === undefined) return 1;
      await writeFile(path, edit(await readFile(path, 'utf8')));
      return 0;
    },
    write: () => undefined,
    messages,
    questions,
  };
}

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, context: Context, input: Record<string, unknown> = {}) {
  const output = await operation.run(z.parse(operation.input, input), context);
  expect(z.parse(operation.output, output)).toEqual(output);
  return { output, text: operation.render?.(output, PLAIN) ?? '' };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof IngotError ? error.code : 'no error';
}

test('config set, get, list and unset agree', async () => {
  await using at = await sampleHome();
  const context = contextOf(at, { env: { INGOT_JOBS: '2' } });
  expect((await run(configSet, context, { name: 'gate', value: 'full' })).output.changed).toBe(true);
  expect((await run(configSet, context, { name: 'gate', value: 'full' })).output.changed).toBe(false);
  expect((await run(configGet, context, { name: 'gate' })).text).toBe('full');
  expect((await run(configGet, context, { name: 'mirror' })).text).toBe('');
  const { output, text } = await run(configList, context);
  expect(output.settings.find(({ name }) => name === 'gate')).toMatchObject({ value: 'full', origin: 'user', where: at.home.settings, default: 'quick' });
  expect(text).toMatch(/^gate +full +user +quick$/m);
  expect(text).toMatch(/^jobs +2 +INGOT_JOBS +-$/m);
  expect((await run(configUnset, context, { name: 'gate' })).output.changed).toBe(true);
  expect((await run(configGet, context, { name: 'gate' })).text).toBe('quick');
  expect((await run(configSet, context, { name: 'jobs', value: '3' })).output.overriddenBy).toBe('INGOT_JOBS');
  expect(context.messages).toEqual([expect.stringContaining('INGOT_JOBS')]);
});

test('the password of a mirror is shown by no command, and it is said where it is', async () => {
  await using at = await sampleHome();
  const context = contextOf(at);
  const shown = [
    await run(configSet, context, { name: 'mirror', value: 'https://me:hunter22@mirror.example/debian' }),
    await run(configGet, context, { name: 'mirror' }),
    await run(configList, context),
  ];
  expect(JSON.stringify(shown)).not.toContain('hunter22');
  expect(await readFile(at.home.settings, 'utf8')).toContain('hunter22');
  expect(context.messages).toEqual([expect.stringContaining(at.home.settings)]);
});

test('a value that is wrong, or not for a project, changes nothing', async () => {
  await using at = await sampleHome();
  const context = contextOf(at);
  expect(await codeOf(run(configSet, context, { name: 'gate', value: 'all' }))).toBe('setting-invalid');
  expect(await codeOf(run(configSet, context, { name: 'mirror', value: 'http://m.example', project: true }))).toBe('setting-invalid');
  expect(await codeOf(run(configSet, context, { name: 'gate', value: 'none', project: true }))).toBe('setting-invalid');
  expect(await at.host.files.status(join(at.home.root, PROJECT_FILE))).toBeUndefined();
  expect(await at.host.files.status(at.home.settings)).toBeUndefined();
});

test('a project is changed where its file is, or gets one here', async () => {
  await using at = await sampleHome();
  const deep = join(at.home.root, 'a', 'b');
  await mkdir(deep, { recursive: true });
  const context = { ...contextOf(at), folder: hostPath(deep) };
  expect((await run(configSet, context, { name: 'jobs', value: '2', project: true })).output.file).toBe(join(deep, PROJECT_FILE));
  await writeFile(join(at.home.root, 'a', PROJECT_FILE), '# ours\n');
  const above = { ...context, folder: hostPath(join(at.home.root, 'a')) };
  await run(configSet, above, { name: 'gate', value: 'full', project: true });
  expect(await readFile(join(at.home.root, 'a', PROJECT_FILE), 'utf8')).toMatch(/# ours\n+gate: full\n/);
  expect((await run(configGet, above, { name: 'gate' })).output.origin).toBe('project');
});

test('config edit replaces only what is right, and asks again', async () => {
  await using at = await sampleHome();
  const wrong = (): string => 'jbos: 1\ngate: all\n';
  const right = (): string => 'jobs: 1\n';
  const patient = contextOf(at, { edits: [wrong, right], agrees: true });
  expect((await run(configEdit, patient)).output.changed).toBe(true);
  expect(patient.questions).toEqual([expect.stringMatching(/line 1, column 1: jbos: .*jobs\?\n.*line 2, column 7: gate: /s)]);
  expect(await readFile(at.home.settings, 'utf8')).toBe('jobs: 1\n');
  expect(await codeOf(run(configEdit, contextOf(at, { edits: [wrong] })))).toBe('settings-invalid');
  // An editor that never mends it ends, though every question is agreed to.
  expect(await codeOf(run(configEdit, contextOf(at, { edits: [wrong, wrong, wrong], agrees: true })))).toBe('settings-invalid');
  expect(await codeOf(run(configEdit, contextOf(at, { env: { EDITOR: 'some editor' } })))).toBe('editor-failed');
  expect((await run(configEdit, contextOf(at, { edits: [(text) => text] }))).output.changed).toBe(false);
  expect(await readFile(at.home.settings, 'utf8')).toBe('jobs: 1\n');
  expect(await at.host.files.list(at.home.run)).toEqual([]);
});

test('what config edit offers first is right as it is', async () => {
  await using at = await sampleHome();
  const context = contextOf(at, { edits: [(text) => `${text}# more\n`] });
  expect((await run(configEdit, context)).output.changed).toBe(true);
  expect(await readFile(at.home.settings, 'utf8')).toContain('# gate:');
});

test('secrets are typed, piped or read from a file, and listed without a value', async () => {
  await using at = await sampleHome();
  const file = join(at.home.root, 'key');
  await writeFile(file, 'line 1\nline 2\n');
  const shown = [
    await run(secretSet, contextOf(at, { typed: ['hunter22'] }), { name: 'typed' }),
    await run(secretSet, contextOf(at, { piped: 'hunter22\r\n' }), { name: 'piped' }),
    await run(secretSet, contextOf(at, { piped: 'not this' }), { name: 'read', fromFile: file }),
    await run(secretList, contextOf(at, { env: { INGOT_SECRET_READ: 'hunter22' } })),
  ];
  expect(JSON.stringify(shown)).not.toMatch(/hunter22|line 1/);
  expect(shown.at(-1)?.text).toMatch(/^read +just now +from INGOT_SECRET_READ$/m);
  const secrets = openSecrets({ host: { ...at.host, env: {} }, home: at.home });
  expect(await Promise.all(['typed', 'piped', 'read'].map((name) => secrets.value(name)))).toEqual(['hunter22', 'hunter22', 'line 1\nline 2\n']);
  await run(secretRemove, contextOf(at), { name: 'piped' });
  expect((await run(secretList, contextOf(at))).output.secrets.map(({ name }) => name)).toEqual(['read', 'typed']);
});

test('a secret with a bad name or value is refused before, and instead of, anything else', async () => {
  await using at = await sampleHome();
  const context = contextOf(at, { typed: ['x'] });
  expect(await codeOf(run(secretSet, context, { name: 'a b' }))).toBe('secret-name-invalid');
  expect(context.questions).toEqual([]);
  expect(await codeOf(run(secretSet, contextOf(at, { piped: Uint8Array.of(0xff, 0xfe) }), { name: 'a' }))).toBe('secret-value-invalid');
  expect(await codeOf(run(secretSet, contextOf(at, { piped: '\n' }), { name: 'a' }))).toBe('secret-value-invalid');
  expect(await codeOf(run(secretSet, contextOf(at), { name: 'a' }))).toBe('input-needed');
  expect(await at.host.files.status(at.home.secrets)).toBeUndefined();
});
