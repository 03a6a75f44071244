import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realHost, type Host } from '../host.ts';
import { hostPath, type HostPath } from '../types.ts';
import { fetchSmallFile, type SmallFileOptions } from './small-file.ts';

const URL_ = 'https://m.example/SHA256SUMS';
let folder: HostPath;
beforeEach(async () => void (folder = hostPath(await mkdtemp(join(tmpdir(), 'ingot-small-file-')))));
afterEach(() => rm(folder, { recursive: true }));

const options = (changes: Partial<SmallFileOptions> = {}): SmallFileOptions => ({
  folder,
  offline: false,
  limit: 100,
  signal: new AbortController().signal,
  hint: 'Try again.',
  ...changes,
});

/** A host whose network answers from a list, and whose clock does not wait; it keeps what it was asked. */
function hostAnswering(...answers: Response[]): Host & { readonly asked: { url: string; headers: Headers }[] } {
  const real = realHost();
  const asked: { url: string; headers: Headers }[] = [];
  return {
    ...real,
    asked,
    clock: { ...real.clock, sleep: async () => undefined },
    fetch: async (url, init) => {
      asked.push({ url: String(url), headers: new Headers(init?.headers) });
      return answers.shift() ?? Promise.reject(new TypeError('fetch failed'));
    },
  };
}

test('what is remembered is asked for by its version, and used where that did not change', async () => {
  await fetchSmallFile(hostAnswering(new Response('one', { headers: { etag: '"1"' } })), URL_, options());
  const host = hostAnswering(new Response(null, { status: 304 }));
  expect(await fetchSmallFile(host, URL_, options())).toMatchObject({ bytes: Buffer.from('one'), changed: false });
  expect(host.asked[0]?.headers.get('if-none-match')).toBe('"1"');
  expect(await fetchSmallFile(hostAnswering(), URL_, options({ offline: true }))).toMatchObject({ bytes: Buffer.from('one') });
  expect(await fetchSmallFile(hostAnswering(new Response('two')), URL_, options())).toMatchObject({ bytes: Buffer.from('two'), changed: true });
});

test('a version is not believed of other bytes than it was made for', async () => {
  await fetchSmallFile(hostAnswering(new Response('one', { headers: { etag: '"1"' } })), URL_, options());
  const [name = ''] = await readdir(folder);
  await writeFile(join(folder, name), 'half');
  const host = hostAnswering(new Response('one'));
  await fetchSmallFile(host, URL_, options());
  expect(host.asked[0]?.headers.get('if-none-match')).toBeNull();
});

test('redirects are followed, never from https to http, and a password stays with its server', async () => {
  const to = (location: string): Response => new Response(null, { status: 302, headers: { location } });
  const host = hostAnswering(to('/here'), to('https://other.example/x'), new Response('one'));
  await fetchSmallFile(host, URL_.replace('//', '//me:secret@'), options());
  expect(host.asked.map(({ url, headers }) => [url, headers.has('authorization')])).toEqual([
    [URL_, true],
    ['https://m.example/here', true],
    ['https://other.example/x', false],
  ]);
  await expect(fetchSmallFile(hostAnswering(to('http://m.example/x')), URL_, options())).rejects.toHaveProperty('code', 'redirect-insecure');
});

test('what cannot be had is tried again, and told with what can be done', async () => {
  await fetchSmallFile(hostAnswering(new Response('', { status: 503 }), new Response('one')), URL_, options());
  await expect(fetchSmallFile(hostAnswering(), 'https://m.example/b', options())).rejects.toMatchObject({ code: 'download-failed', hint: 'Try again.' });
  await expect(fetchSmallFile(hostAnswering(new Response('x'.repeat(101))), URL_, options())).rejects.toMatchObject({ code: 'download-failed' });
  await expect(fetchSmallFile(hostAnswering(), 'https://m.example/b', options({ offline: true }))).rejects.toHaveProperty('code', 'offline-missing');
});
