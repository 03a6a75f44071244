import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { downloadAll, type DownloadItem } from './download.ts';
import { realHost, type Host } from './host.ts';
import { hostPath, type HostPath } from './types.ts';

let folder: HostPath;
beforeEach(async () => void (folder = hostPath(await mkdtemp(join(tmpdir(), 'ingot-download-')))));
afterEach(() => rm(folder, { recursive: true }));

const item = (text: string, url = `http://m.example/${text}`): DownloadItem => ({
  url,
  sha256: createHash('sha256').update(text).digest('hex'),
  size: text.length,
});

/** A host whose network answers from a list, one answer for each request, and whose clock does not wait. */
function hostAnswering(answers: (() => Response | Promise<never>)[]): Host & { readonly requests: string[] } {
  const host = realHost();
  const requests: string[] = [];
  return {
    ...host,
    requests,
    clock: { ...host.clock, sleep: async () => undefined },
    fetch: async (url) => {
      requests.push(String(url));
      const answer = answers.shift();
      if (answer === undefined) throw new Error('one request too many');
      return await answer();
    },
  };
}

const options = () => ({ folder, offline: false, signal: new AbortController().signal });

test('fetches what is missing, verifies it, and keeps it under its hash', async () => {
  const one = item('one');
  const host = hostAnswering([() => new Response('one')]);
  const ready: string[] = [];
  expect(await downloadAll(host, [one], options(), (_, path) => void ready.push(path))).toEqual({ fetched: 3 });
  expect(await readFile(join(folder, one.sha256), 'utf8')).toBe('one');
  expect(ready).toEqual([join(folder, one.sha256)]);
  await downloadAll(hostAnswering([]), [one], options()); // now there: no request
});

test('tries again after a broken connection, a server error and a cut answer', async () => {
  const host = hostAnswering([
    () => Promise.reject(new TypeError('fetch failed')),
    () => new Response('busy', { status: 503 }),
    () => new Response('on'),
    () => new Response('one'),
  ]);
  await downloadAll(host, [item('one')], options());
  expect(host.requests.length).toBe(4);
});

test('wrong bytes are refused at once and leave nothing', async () => {
  const host = hostAnswering([() => new Response('two')]);
  await expect(downloadAll(host, [item('one')], options())).rejects.toMatchObject({ code: 'download-mismatch', class: 'verification' });
  expect(await readdir(folder)).toEqual([]);
});

test('a missing file is an error at once, with its address', async () => {
  const host = hostAnswering([() => new Response('', { status: 404, statusText: 'Not Found' })]);
  await expect(downloadAll(host, [item('one')], options())).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringContaining('m.example/one'),
  });
});

test('offline, a missing file is an error without any request', async () => {
  const host = hostAnswering([]);
  await expect(downloadAll(host, [item('one')], { ...options(), offline: true })).rejects.toMatchObject({ code: 'offline-missing' });
  expect(host.requests).toEqual([]);
});
