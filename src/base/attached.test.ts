import { expect, test } from 'vitest';
import { attach } from './attached.ts';
import { realHost } from './host.ts';

const host = realHost();

test('a program that failed is told with its words', async () => {
  await using program = attach(host, ['sh', '-c', 'echo "it is broken" >&2; exit 3'], { stderr: 'pipe' });
  expect((await program.ended).exitCode).toBe(3);
  expect(program.words()).toBe('it is broken');
  expect(await program.failure()).toMatchObject({
    code: 'command-failed',
    message: 'sh ended with exit code 3',
    detail: expect.stringContaining('it is broken'),
  });
});

test('only the end of long words is kept', async () => {
  await using program = attach(host, ['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done'], { stderr: 'pipe' });
  await program.ended;
  expect(program.words().length).toBeLessThanOrEqual(4096);
  expect(program.words().endsWith('line 1999')).toBe(true);
});

test('one that still runs is ended with the block that started it', async () => {
  let ended: Promise<{ readonly signal: string | undefined }>;
  {
    await using program = attach(host, ['sleep', '600'], {});
    ({ ended } = program);
  }
  expect((await ended).signal).toBe('SIGKILL');
});
