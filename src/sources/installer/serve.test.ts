import { expect, test } from 'vitest';
import { serveAnswers } from './serve.ts';

test('files are served in a folder that only the guest knows, and every access is told', async () => {
  const asked: [string, boolean][] = [];
  await using server = await serveAnswers(
    [{ name: 'preseed.cfg', content: Buffer.from('d-i x string y\n') }],
    'a-token',
    (name, found) => void asked.push([name, found]),
  );
  expect(server.url).toMatch(/^http:\/\/10\.0\.2\.2:\d+\/a-token\/$/);
  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const answer = await fetch(new URL(path, server.localUrl), { method });
    return [answer.status, await answer.text()];
  };
  expect(await get('preseed.cfg')).toEqual([200, 'd-i x string y\n']);
  expect(await get('preseed.cfg?x=1')).toEqual([200, 'd-i x string y\n']);
  expect(await get('preseed.cfg', 'HEAD')).toEqual([200, '']);
  expect(await get('meta-data')).toEqual([404, '']);
  expect(await get('%zz')).toEqual([404, '']);
  expect(await get('/preseed.cfg')).toEqual([404, '']);
  expect(await get('/other/preseed.cfg')).toEqual([404, '']);
  expect(asked).toEqual([
    ['preseed.cfg', true],
    ['preseed.cfg', true],
    ['preseed.cfg', true],
    ['meta-data', false],
    ['%zz', false],
  ]);
});

test('nobody is served any more when it is closed', async () => {
  const server = await serveAnswers([], 'a-token', () => undefined);
  const { localUrl } = server;
  await server[Symbol.asyncDispose]();
  await expect(fetch(localUrl)).rejects.toThrow();
});
