import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSigned } from '../../../tests/simulators/proxmox/self-signed.ts';
import { realHost } from '../../base/host.ts';
import { hostPath } from '../../base/types.ts';
import { serveImage, type ServeOptions } from './image-server.ts';
import { parseRange } from './range.ts';

const BYTES = randomBytes(3_000_001);
let folder = '';
const options: ServeOptions = { address: '127.0.0.1', filename: 'web-0123.qcow2', random: realHost().random };
const disk = () => ({ path: hostPath(join(folder, 'disk')), size: BYTES.length, sha256: createHash('sha256').update(BYTES).digest('hex') });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ingot-serve-'));
  await writeFile(join(folder, 'disk'), BYTES);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the file is served whole, in parts, and by its head; nothing else is', async () => {
  await using server = await serveImage(disk(), options);
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/web-0123\.qcow2$/);
  const get = (headers: Record<string, string> = {}, url = server.url, method: 'GET' | 'HEAD' | 'PUT' = 'GET') => request(url, { method, headers });
  const whole = await get();
  expect(whole.headers).toMatchObject({ 'content-length': String(BYTES.length), 'accept-ranges': 'bytes' });
  expect(Buffer.from(await whole.body.arrayBuffer()).equals(BYTES)).toBe(true);
  const head = await get({}, server.url, 'HEAD');
  expect([head.statusCode, head.headers['content-length']]).toEqual([200, String(BYTES.length)]);
  for (const [range, from, until] of [
    ['bytes=0-0', 0, 1],
    ['bytes=2900000-', 2_900_000, BYTES.length],
    ['bytes=-5', BYTES.length - 5, BYTES.length],
    ['bytes=10-99999999', 10, BYTES.length],
  ] as const) {
    const part = await get({ range });
    expect(part.statusCode).toBe(206);
    expect(part.headers['content-range']).toBe(`bytes ${from}-${until - 1}/${BYTES.length}`);
    expect(Buffer.from(await part.body.arrayBuffer()).equals(BYTES.subarray(from, until))).toBe(true);
  }
  const beyond = await get({ range: `bytes=${BYTES.length}-` });
  expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, `bytes */${BYTES.length}`]);
  const changed = await get({ range: 'bytes=5-', 'if-range': '"another file"' });
  expect(changed.statusCode).toBe(200);
  await changed.body.dump();
  const { origin, pathname } = new URL(server.url);
  for (const path of ['/', '/web-0123.qcow2', pathname.slice(0, -1), `${pathname}/../disk`, `/${'0'.repeat(32)}/web-0123.qcow2`, '//etc/passwd']) {
    const answer = await get({}, `${origin}${path}`);
    expect([path, answer.statusCode]).toEqual([path, 404]);
    await answer.body.dump();
  }
  const put = await get({}, server.url, 'PUT');
  expect(put.statusCode).toBe(405);
  expect(server.seen.clients.size).toBe(1);
});

test('many clients at once get the same bytes, and one that hangs up harms nobody', async () => {
  await using server = await serveImage(disk(), options);
  const hang = await request(server.url);
  hang.body.destroy();
  hang.body.on('error', () => undefined);
  const digests = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const hash = createHash('sha256');
      for await (const chunk of (await request(server.url)).body) if (Buffer.isBuffer(chunk)) hash.update(chunk);
      return hash.digest('hex');
    }),
  );
  expect(new Set(digests)).toEqual(new Set([disk().sha256]));
});

test('it ends when it is disposed, also while somebody reads, and a port that is taken is told', async () => {
  let url = '';
  {
    await using server = await serveImage(disk(), options);
    ({ url } = server);
    const reading = await request(url);
    reading.body.on('error', () => undefined);
    await expect(serveImage(disk(), { ...options, port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'serve-port-taken',
      hint: expect.stringContaining('--serve'),
    });
  }
  await expect(request(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('TLS on request; a certificate that is none is refused', async () => {
  const { key, certificate } = selfSigned('127.0.0.1');
  // Both in one text, as a secret holds them.
  const pem = `${certificate}\n${key}`;
  await using server = await serveImage(disk(), { ...options, tls: { certificate: pem, key: pem } });
  expect(server.url).toMatch(/^https:/);
  const dispatcher = new Agent({ connect: { ca: certificate } });
  const answer = await request(server.url, { dispatcher });
  expect(Buffer.from(await answer.body.arrayBuffer()).equals(BYTES)).toBe(true);
  await dispatcher.close();
  await expect(serveImage(disk(), { ...options, tls: { certificate: 'x', key: 'y' } })).rejects.toMatchObject({ code: 'serve-tls-invalid' });
});

test('a range is within the file, or the whole of it', () => {
  const word = fc.oneof(fc.nat(2000).map(String), fc.constant(''));
  fc.assert(
    fc.property(fc.tuple(word, word), fc.integer({ min: 0, max: 1000 }), ([first, last], size) => {
      const range = parseRange(`bytes=${first}-${last}`, size);
      if (range === undefined || range === 'unsatisfiable') return;
      expect(range.from).toBeGreaterThanOrEqual(0);
      expect(range.until).toBeLessThanOrEqual(size);
      expect(range.until).toBeGreaterThan(range.from);
      if (first !== '') expect(range.from).toBe(Number(first));
      if (first !== '' && last !== '') expect(range.until).toBe(Math.min(Number(last) + 1, size));
    }),
  );
  for (const header of [undefined, 'bytes=0-1,3-4', 'lines=0-1', 'bytes=5-2', 'bytes=-']) expect(parseRange(header, 100)).toBeUndefined();
  expect(parseRange('bytes=-0', 100)).toBe('unsatisfiable');
});
