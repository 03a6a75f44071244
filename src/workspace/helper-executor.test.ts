import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { HelperExecutor, type HelperConnection } from './helper-executor.ts';
import type { HelperAnswer, HelperRequest } from './helper.ts';

/** A helper that notes what it is asked, and answers when it is told to. */
function pretended(): { readonly connection: HelperConnection; readonly asked: HelperRequest[]; answer(answer: HelperAnswer): void } {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asked: HelperRequest[] = [];
  input.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter((part) => part !== '')) asked.push(JSON.parse(line));
  });
  const connection: HelperConnection = {
    input,
    output,
    ended: new Promise(() => undefined),
    lastWords: () => Promise.resolve(''),
    terminalCommand: (argv) => argv,
    close: () => Promise.resolve(),
  };
  return { connection, asked, answer: (answer) => void output.write(`${JSON.stringify(answer)}\n`) };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('where the user stops ingot, commands are ended, but for those that take something back', async () => {
  const { connection, asked, answer } = pretended();
  const stop = new AbortController();
  const executor = new HelperExecutor(connection, stop.signal);
  const ordinary = executor.run(['sleep', '9']);
  const takesBack = executor.run(['unregister'], { uninterrupted: true });
  stop.abort();
  const later = executor.run(['clean'], { uninterrupted: true });
  await turn();
  expect(asked.map(({ type, id }) => [type, id])).toEqual([
    ['run', 1],
    ['run', 2],
    ['kill', 1],
    ['run', 3],
  ]);
  answer({ type: 'exit', id: 1, code: -1, signal: 'SIGKILL' });
  answer({ type: 'exit', id: 2, code: 0 });
  answer({ type: 'exit', id: 3, code: 0 });
  await expect(ordinary).rejects.toMatchObject({ code: 'interrupted' });
  expect([await takesBack, await later]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
});

test('what runs in the background is there for them, until it is ended or its place is', async () => {
  const { connection, asked, answer } = pretended();
  const stop = new AbortController();
  const executor = new HelperExecutor(connection, stop.signal);
  const starting = executor.start(['sleep', 'infinity']);
  answer({ type: 'started', id: 1, pid: 7 });
  const keeper = await starting;
  stop.abort();
  await turn();
  expect(asked.map(({ type }) => type)).toEqual(['run']);
  keeper.kill();
  await turn();
  expect(asked.map(({ type, id }) => [type, id])).toEqual([
    ['run', 1],
    ['kill', 1],
  ]);
});
