import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { faultServer, type FaultServer, type ServedFile } from '../../../tests/support/fault-server.ts';
import { openHome, type Home } from '../home.ts';
import { realHost, type Host } from '../host.ts';
import { hostPath } from '../types.ts';
import { fetchLargeFile, type FetchedFile, type LargeFile, type LargeFileOptions } from './large-file.ts';

const BYTES = randomBytes(300_000);
const real = realHost();
let root: string;
let home: Home;
let server: FaultServer;
/** Waits of the downloader, in seconds; none is waited for. */
let waits: number[];
let said: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-large-file-'));
  home = await openHome(real, hostPath(root));
  server = await faultServer();
  [waits, said] = [[], []];
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

const host = (): Host => ({ ...real, clock: { ...real.clock, sleep: async (seconds) => void waits.push(seconds) } });
const hash = (bytes: Uint8Array, algorithm = 'sha256'): string => createHash(algorithm).update(bytes).digest('hex');
const digest = (bytes: Uint8Array = BYTES): LargeFile['digest'] => ({ algorithm: 'sha256', hex: hash(bytes) });

function serve(path: string, file: Partial<ServedFile> = {}): string {
  server.files.set(path, { bytes: BYTES, ...file });
  return `${server.url}${path}`;
}

async function fetched(file: Partial<LargeFile>, options: Partial<LargeFileOptions> = {}, on = host()): Promise<FetchedFile> {
  return await fetchLargeFile(
    on,
    home,
    { urls: [`${server.url}/a`], limit: 2 ** 30, digest: digest(), ...file },
    {
      offline: false,
      signal: new AbortController().signal,
      onMessage: (_, text) => void said.push(text),
      ...options,
      tuning: { range: 65_536, saveSeconds: 0, stallSeconds: 20, ...options.tuning },
    },
  );
}

/** All that the cache holds, locks apart. */
const cache = async (): Promise<string[]> => (await readdir(home.disks)).toSorted();

async function expectWhole(file: FetchedFile, bytes: Uint8Array = BYTES): Promise<void> {
  expect(file).toMatchObject({ sha256: hash(bytes), size: bytes.length, path: join(home.disks, hash(bytes)) });
  expect(Buffer.compare(bytes, await readFile(file.path))).toBe(0);
  expect((await cache()).filter((name) => name.includes('.part'))).toEqual([]);
}

test('a file comes over several connections, and is asked for only once', async () => {
  const seen: number[] = [];
  await expectWhole(await fetched({ urls: [serve('/a')] }, { onProgress: (done, total) => void (seen.push(done), expect(total).toBe(BYTES.length)) }));
  expect(server.requests.map(({ headers }) => headers['range']).toSorted()).toEqual(
    ['bytes=0-65535', 'bytes=131072-196607', 'bytes=196608-262143', 'bytes=262144-299999', 'bytes=65536-131071'].toSorted(),
  );
  expect(seen.at(-1)).toBe(BYTES.length);
  expect(await cache()).toEqual([hash(BYTES)]);
  const count = server.requests.length;
  expect((await fetched({})).url).toBeUndefined();
  expect(server.requests.length).toBe(count);
});

test.each<[string, Partial<ServedFile>]>([
  ['gives no ranges', { ranges: false }],
  ['says no length', { ranges: false, chunked: true }],
  ['says no version of the file', { etag: null }],
  ['says a version that does not hold for bytes', { etag: 'W/"x"' }],
  ['says only a date', { etag: null, modified: 'Sun, 01 Nov 2026 10:00:00 GMT' }],
  ['claims to have packed it', { encoding: 'gzip' }],
  ['is busy at first', { statuses: [503, 429, 500] }],
  ['cuts the connection', { cuts: [1000, 70_000, 20, 3, 40_000, 1] }],
  ['cuts the connection and gives no ranges', { ranges: false, cuts: [100, 200_000, 299_999] }],
  ['cuts the connection before the first byte', { cuts: [0, 0] }],
])('a server that %s', async (_, faults) => {
  await expectWhole(await fetched({ urls: [serve('/a', faults)] }));
});

test('the SHA-512 of a distribution is checked, and the file found by it again', async () => {
  const sha512 = { algorithm: 'sha512', hex: hash(BYTES, 'sha512') } as const;
  await expectWhole(await fetched({ urls: [serve('/a')], digest: sha512 }));
  server.files.clear();
  await expectWhole(await fetched({ digest: sha512 }));
  await expectWhole(await fetched({ digest: sha512 }, { offline: true }));
});

test('what was damaged in the cache is thrown away and fetched again; offline it is missing', async () => {
  const { path } = await fetched({ urls: [serve('/a')] });
  const damage = Buffer.from(BYTES);
  damage[1000] = (damage[1000] ?? 0) ^ 1;
  await writeFile(path, damage);
  await expect(fetched({}, { offline: true })).rejects.toMatchObject({ code: 'offline-missing' });
  await expectWhole(await fetched({}));
  await writeFile(path, BYTES.subarray(0, 1000));
  await expectWhole(await fetched({}));
  expect(said.filter((text) => text.includes('is damaged'))).toHaveLength(2);
});

test('an empty file is a file', async () => {
  const empty = Buffer.alloc(0);
  await expectWhole(await fetched({ urls: [serve('/a', { bytes: empty })], digest: digest(empty) }), empty);
});

test('a dead connection is noticed, and the rest is asked for', async () => {
  await expectWhole(await fetched({ urls: [serve('/a', { stalls: [100] })] }, { tuning: { stallSeconds: 0.3 } }));
  expect(said.join('\n')).toContain('no byte came for 0.3 s; trying again (1)');
});

test('it is tried four times in a row, with growing pauses, and then given up; what came is kept', async () => {
  serve('/a', { statuses: Array.from({ length: 9 }, () => 503) });
  await expect(fetched({})).rejects.toMatchObject({ code: 'download-failed', class: 'upstream', message: expect.stringContaining('the server answered 503') });
  expect(waits).toEqual([0.5, 1.5, 4.5]);
});

test('a missing file, or one that is refused, is an error at once', async () => {
  await expect(fetched({})).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining('answered 404') });
  serve('/b', { statuses: [403] });
  await expect(fetched({ urls: [`${server.url}/b`] })).rejects.toMatchObject({ message: expect.stringContaining('answered 403') });
  expect(waits).toEqual([]);
});

test('the next mirror has it where one is missing, away, or wrong, and a line says so', async () => {
  const wrong = Buffer.from(BYTES);
  wrong[77] = (wrong[77] ?? 0) ^ 1;
  const urls = [
    `${server.url}/none`,
    'http://127.0.0.1:1/away',
    serve('/wrong', { bytes: wrong }),
    serve('/short', { bytes: BYTES.subarray(0, 10) }),
    serve('/a'),
  ];
  await expectWhole(await fetched({ urls }));
  expect(said.filter((text) => text.includes('; trying http')).map((text) => text.replace(/.*; trying /, ''))).toEqual(urls.slice(1).map((url) => `${url}.`));
});

test('where no mirror is right, wrong bytes are what is told, with what each said', async () => {
  const urls = [`${server.url}/none`, serve('/wrong', { bytes: randomBytes(10) })];
  await expect(fetched({ urls })).rejects.toMatchObject({
    code: 'download-mismatch',
    class: 'verification',
    detail: expect.stringMatching(/expected sha256[^]*404/),
  });
  expect(await cache()).toEqual([]);
});

test('redirects are followed; from https to http, or without end, they are refused', async () => {
  serve('/real');
  await expectWhole(await fetched({ urls: [serve('/a', { redirect: '/real' })] }));
  // The other ranges go where the first one was led to.
  expect(server.requests.filter(({ path }) => path === '/a').length).toBe(1);
  await expect(fetched({ urls: [serve('/loop', { redirect: '/loop' })], digest: digest(Buffer.from('x')) })).rejects.toMatchObject({ code: 'download-failed' });
  await expect(fetched({ urls: [serve('/ftp', { redirect: 'ftp://x.example/a' })], digest: digest(Buffer.from('x')) })).rejects.toMatchObject({
    code: 'download-failed',
  });
});

test('a file that is longer or shorter than is said is no file', async () => {
  serve('/a', { ranges: false, lengthOff: 5 });
  await expect(fetched({})).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining('the connection ended after') });
  serve('/b');
  await expect(fetched({ urls: [`${server.url}/b`], size: 7 })).rejects.toMatchObject({
    code: 'download-mismatch',
    detail: expect.stringContaining('expected 7'),
  });
});

test('what is too large is refused before, or as soon as it is', async () => {
  await expect(fetched({ urls: [serve('/a')], limit: 1000 })).rejects.toMatchObject({ code: 'download-too-large' });
  await expect(fetched({ urls: [serve('/b', { ranges: false, chunked: true })], limit: 1000 })).rejects.toMatchObject({ code: 'download-too-large' });
});

test('a full disk is told before the first byte, in numbers', async () => {
  serve('/a');
  const full = { ...host(), files: { ...real.files, freeSpace: async () => 2 ** 20 } };
  await expect(fetched({}, {}, full)).rejects.toMatchObject({ code: 'disk-full', class: 'space', message: expect.stringContaining('1.0 MiB are free') });
});

test('stopped, it keeps what came and goes on from there', async () => {
  const abort = new AbortController();
  serve('/a', { stalls: [20_000, 20_000, 20_000, 20_000] });
  const stop = (done: number): void => void (done >= 20_000 && abort.abort());
  await expect(fetched({}, { signal: abort.signal, onProgress: stop })).rejects.toMatchObject({
    code: 'interrupted',
    hint: expect.stringContaining('is kept'),
  });
  expect((await cache()).length).toBe(2);
  serve('/a');
  server.requests.length = 0;
  await expectWhole(await fetched({}));
  expect(said.join('\n')).toContain('Going on with');
  expect(server.requests.every(({ headers }) => headers['ifRange'] !== undefined)).toBe(true);
});

test.each([true, false])('a file that changes meanwhile is begun anew, never mixed (If-Range ignored: %s)', async (ignoresIfRange) => {
  const other = randomBytes(250_000);
  const change = (count: number, file: ServedFile): void => void (count === 3 && Object.assign(file, { bytes: other, cuts: [] }));
  await expectWhole(await fetched({ urls: [serve('/a', { ignoresIfRange, onRequest: change })], digest: digest(other) }), other);
  expect(said.join('\n')).toContain('changed meanwhile; it is downloaded from the beginning');
});

test('of servers that disagree about the version, one stream is taken; of a file that is another each time, none', async () => {
  const versions = { count: 0 };
  serve('/a', { onRequest: (_, file) => void (file.etag = `"${versions.count++}"`) });
  await expectWhole(await fetched({}));
});

test('a part whose bytes are damaged is thrown away, and the same mirror asked again', async () => {
  const abort = new AbortController();
  serve('/a', { stalls: [20_000, 20_000, 20_000, 20_000] });
  await fetched({}, { signal: abort.signal, onProgress: (done) => done >= 20_000 && abort.abort() }).catch(() => undefined);
  const part = join(home.disks, (await cache()).find((name) => name.endsWith('.part')) ?? '');
  await real.files.writePart(part, 10, Buffer.from('damaged'));
  serve('/a');
  await expectWhole(await fetched({}));
  expect(said.join('\n')).toContain('what an earlier download left is thrown away');
});

test('two that want the same file fetch it once', async () => {
  serve('/a');
  const both = await Promise.all([fetched({}, {}, { ...real }), fetched({}, {}, { ...real })]);
  for (const file of both) await expectWhole(file);
  expect(server.requests.filter(({ headers }) => headers['range'] === 'bytes=0-65535').length).toBe(1);
  expect(said.join('\n')).toContain('which downloads the same file');
});

test('offline, what is not there is an error without any request', async () => {
  serve('/a');
  await expect(fetched({}, { offline: true })).rejects.toMatchObject({ code: 'offline-missing' });
  expect(server.requests).toEqual([]);
});

test('a file without a digest is looked at by who asks, and known unchanged in one round trip', async () => {
  const looked: string[] = [];
  const file = { urls: [serve('/a')], digest: undefined, check: async (path: string) => void looked.push(path) };
  await expectWhole(await fetched(file));
  server.requests.length = 0;
  await expectWhole(await fetched(file));
  expect(server.requests.map(({ status }) => status)).toEqual([304]);
  expect(looked.length).toBe(2);
  const other = randomBytes(1000);
  serve('/a', { bytes: other });
  await expectWhole(await fetched(file), other);
});

test('what the check refuses is not kept', async () => {
  const refuse = async (): Promise<void> => Promise.reject(new Error('not this one'));
  await expect(fetched({ urls: [serve('/a')], digest: undefined, check: refuse })).rejects.toThrow('not this one');
  expect((await cache()).includes(hash(BYTES))).toBe(false);
});

test('a name and password of the address go to its server alone, and are written down nowhere', async () => {
  await using other = await faultServer();
  other.files.set('/a', { bytes: BYTES, cuts: [10, 10, 10, 10, 10, 10, 10, 10, 10] });
  const url = serve('/a', { redirect: `${other.url}/a` }).replace('http://', 'http://me:secret@');
  const abort = new AbortController();
  await fetched({ urls: [url] }, { signal: abort.signal, onProgress: () => abort.abort() }).catch(() => undefined);
  expect(server.requests[0]?.headers['authorization']).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
  expect(other.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
  for (const name of await cache()) expect((await readFile(join(home.disks, name))).includes('secret')).toBe(false);
});

test('an Authorization goes to the server of the address alone, also when the download goes on', async () => {
  await using other = await faultServer();
  other.files.set('/a', { bytes: BYTES, cuts: [10, 10] });
  const url = serve('/a', { redirect: `${other.url}/a` });
  await expectWhole(await fetched({ urls: [url] }, { headers: { Authorization: 'Bearer secret' } }));
  expect(server.requests.map(({ headers }) => headers['authorization'])).toContain('Bearer secret');
  expect(other.requests.length).toBeGreaterThan(2);
  expect(other.requests.filter(({ headers }) => headers['authorization'] !== undefined)).toEqual([]);
});
