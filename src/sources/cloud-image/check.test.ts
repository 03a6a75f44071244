import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { templateFolder } from '../../../tests/support/templates.ts';
import { keyFingerprints } from '../../base/openpgp.ts';
import { cloudImageSchema, type CloudImage } from '../../catalog/cloud-image-schema.ts';
import { checkImages, type CheckedImage } from './check.ts';

const BYTES = Buffer.from('an image');
const HASH = createHash('sha256').update(BYTES).digest('hex');
const missing = ['/usr/bin/gpg', '/usr/bin/gpgv'].find((program) => !existsSync(program));

describe.skipIf(missing !== undefined)(`the mirrors are asked${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let server: Server;
  let base = '';
  let gpgHome = '';
  let key = '';
  const files = new Map<string, Buffer | number>();
  const asked: string[] = [];

  const gpg = (words: readonly string[], input?: string): Buffer =>
    execFileSync('gpg', ['--homedir', gpgHome, '--batch', '--quiet', '--passphrase', '', ...words], { input: input ?? '', stdio: ['pipe', 'pipe', 'ignore'] });

  beforeAll(async () => {
    gpgHome = await mkdtemp(join(tmpdir(), 'ingot-gpg-'));
    gpg(['--quick-gen-key', 'Images <images@mirror.example>', 'ed25519', 'sign', 'never']);
    key = gpg(['--armor', '--export']).toString('utf8');
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const found = files.get(request.url ?? '');
      response.statusCode = typeof found === 'number' ? found : found === undefined ? 404 : 200;
      response.end(typeof found === 'object' && request.method === 'GET' ? found : undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const list = `${HASH}  image-2.qcow2\n`;
    files.set('/image-2.qcow2', BYTES);
    files.set('/SUMS', Buffer.from(list));
    files.set('/SUMS.gpg', gpg(['--detach-sign'], list));
    files.set('/WRONG.gpg', gpg(['--detach-sign'], `${list}\n`));
    files.set('/SIGNED', gpg(['--clearsign'], list));
    files.set('/OTHER', Buffer.from(`${HASH}  other.qcow2\n`));
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    execFileSync('gpgconf', ['--homedir', gpgHome, '--kill', 'all'], { stdio: 'ignore' });
    await rm(gpgHome, { recursive: true });
  });

  const fingerprints = (): string[] => keyFingerprints(Buffer.from(key));
  const image = (more: Record<string, unknown>): CloudImage =>
    cloudImageSchema.parse({
      url: `${base}/image-2.qcow2`,
      format: 'qcow2',
      seen: 'here',
      checksum: { url: `${base}/SUMS`, algorithm: 'sha256', style: 'gnu' },
      ...more,
    });
  const detached = (file: string): Record<string, unknown> => ({ kind: 'detached', of: 'checksum', url: `${base}/${file}`, fingerprints: fingerprints() });

  async function check(one: CloudImage, keys: readonly string[] = [key]): Promise<CheckedImage | undefined> {
    await using at = await templateFolder({});
    return (await checkImages(at.context, [{ name: 'x-1/amd64', image: one }], { keys, jobs: 2, onDone: () => undefined }))[0];
  }

  test('an image that is there, listed and signed is good, and is not downloaded', async () => {
    asked.length = 0;
    const result = await check(image({ signature: detached('SUMS.gpg') }));
    expect(result).toMatchObject({ status: 'good', seen: { digest: `sha256:${HASH}`, signer: fingerprints()[0], file: `${base}/image-2.qcow2` } });
    expect(asked).toContain('HEAD /image-2.qcow2');
    expect(asked).not.toContain('GET /image-2.qcow2');
  });

  test('a clear-signed list too, and a pattern is what the list says', async () => {
    const result = await check(
      image({
        url: `${base}/`,
        entry: 'image-*.qcow2',
        checksum: { url: `${base}/SIGNED`, algorithm: 'sha256', style: 'gnu' },
        signature: { kind: 'inline', fingerprints: fingerprints() },
      }),
    );
    expect(result).toMatchObject({ status: 'good', seen: { file: `${base}/image-2.qcow2` } });
  });

  test('what is missing or wrong is bad, and says what it is', async () => {
    expect(await check(image({ signature: detached('WRONG.gpg') }))).toMatchObject({ status: 'bad', error: { code: 'signature-wrong' } });
    expect(await check(image({ signature: detached('SUMS.gpg') }), [])).toMatchObject({ status: 'bad', error: { code: expect.stringMatching(/^signature-/) } });
    expect((await check(image({ checksum: { url: `${base}/OTHER`, algorithm: 'sha256', style: 'gnu' } })))?.status).toBe('bad');
    files.set('/gone', 404);
    expect((await check(image({ checksum: { url: `${base}/gone`, algorithm: 'sha256', style: 'gnu' } })))?.status).toBe('bad');
    expect(await check(image({ checksum: undefined, url: `${base}/gone` }))).toMatchObject({
      status: 'bad',
      error: { code: 'download-failed', message: expect.stringContaining('404') },
    });
  });

  test('a mirror and a dated image that are gone are warnings; an image that nothing vouches for is told', async () => {
    const pinned = { url: `${base}/gone`, digest: `sha256:${HASH}`, source: 'here' };
    const result = await check(image({ mirrors: [`${base}/gone`], pinned }));
    expect(result?.status).toBe('good');
    expect(result?.warnings).toEqual([expect.stringMatching(/^mirror: .*404/), expect.stringMatching(/^dated image: .*404/)]);
    expect((await check(image({ checksum: undefined })))?.status).toBe('unverified');
  });

  test('what is behind a login is not asked for, and a server that is away is asked once', async () => {
    asked.length = 0;
    expect(await check(image({ login: 'an account' }))).toMatchObject({ status: 'login' });
    expect(asked).toEqual([]);
    await using at = await templateFolder({});
    let times = 0;
    const host = { ...at.context.host, fetch: () => Promise.reject(new Error(`away ${(times += 1)}`)) };
    const many = ['a', 'b', 'c'].map((name) => ({ name, image: image({}) }));
    const results = await checkImages({ ...at.context, host }, many, { keys: [], jobs: 3, onDone: () => undefined });
    expect(results.map(({ status }) => status)).toEqual(['unreachable', 'unreachable', 'unreachable']);
    expect(times).toBe(1);
  });
});
