import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { faultServer, type FaultServer } from '../../../tests/support/fault-server.ts';
import { CAN_SIGN, openSigners } from '../../../tests/support/signing.ts';
import { openHome, type Home } from '../../base/home.ts';
import { realHost } from '../../base/host.ts';
import { hostPath } from '../../base/types.ts';
import { cloudImageSchema, type CloudImage } from '../../catalog/cloud-image-schema.ts';
import { fetchCloudImage, type FetchedImage, type FetchImageOptions } from './fetch.ts';

const real = realHost();
const host = { ...real, clock: { ...real.clock, sleep: async () => undefined } };
const BYTES = randomBytes(100_000);
const hash = (bytes: Uint8Array, algorithm = 'sha256'): string => createHash(algorithm).update(bytes).digest('hex');
let root: string;
let home: Home;
let server: FaultServer;
let said: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-cloud-image-'));
  home = await openHome(real, hostPath(root));
  server = await faultServer();
  said = [];
  serve('image.qcow2', BYTES);
  serve('SHA256SUMS', `${hash(BYTES)}  image.qcow2\n`);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

function serve(name: string, content: string | Uint8Array): void {
  server.files.set(`/${name}`, { bytes: Buffer.from(content) });
}

const image = (changes: object = {}): CloudImage =>
  cloudImageSchema.parse({
    url: `${server.url}/image.qcow2`,
    format: 'qcow2',
    checksum: { url: `${server.url}/SHA256SUMS`, algorithm: 'sha256', style: 'gnu' },
    seen: 'in this test',
    ...changes,
  });

async function fetched(of: CloudImage, options: Partial<FetchImageOptions> = {}): Promise<FetchedImage> {
  const signal = new AbortController().signal;
  return await fetchCloudImage(host, of, { home, keys: [], offline: false, signal, onMessage: (_, text) => void said.push(text), ...options });
}

test('a checksum file alone proves what it can; unchanged, it takes one round trip', async () => {
  expect(await fetched(image())).toMatchObject({ sha256: hash(BYTES), size: BYTES.length, vouched: 'checksum', format: 'qcow2', name: 'image.qcow2' });
  expect(said.join('\n')).toContain('Nobody has signed');
  server.requests.length = 0;
  await fetched(image());
  expect(server.requests.map(({ path, status }) => [path, status])).toEqual([['/SHA256SUMS', 304]]);
  expect(await fetched(image(), { offline: true })).toMatchObject({ sha256: hash(BYTES) });
});

test('a new build is fetched, also where it comes between list and image', async () => {
  await fetched(image());
  const next = randomBytes(5000);
  serve('image.qcow2', next);
  serve('SHA256SUMS', `${hash(randomBytes(3))}  image.qcow2\n`);
  const list = server.files.get('/SHA256SUMS');
  if (list !== undefined) list.onRequest = (count) => void (count === 3 && (list.bytes = Buffer.from(`${hash(next)}  image.qcow2\n`)));
  expect(await fetched(image())).toMatchObject({ sha256: hash(next) });
  expect(said.join('\n')).toContain('was replaced meanwhile');
});

test('wrong bytes are refused, whatever is pinned', async () => {
  serve('image.qcow2', 'something else');
  const pinned = { url: `${server.url}/dated.qcow2`, digest: `sha256:${hash(BYTES)}`, source: 'here' };
  await expect(fetched(image({ pinned }))).rejects.toMatchObject({ code: 'download-mismatch' });
});

test('where the list cannot be reached, the pinned build stands in, and a line says so', async () => {
  server.files.delete('/SHA256SUMS');
  serve('dated.qcow2', BYTES);
  const pinned = { url: `${server.url}/dated.qcow2`, digest: `sha512:${hash(BYTES, 'sha512')}`, size: BYTES.length, source: 'here' };
  expect(await fetched(image({ pinned }))).toMatchObject({ vouched: 'pinned', sha256: hash(BYTES), name: 'dated.qcow2' });
  expect(said.join('\n')).toContain('taking the build that the catalog pins, dated.qcow2');
  await expect(fetched(image())).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining('SHA256SUMS') });
});

test('what nothing vouches for needs a digest, or the word of the user', async () => {
  const none = image({ checksum: undefined });
  await expect(fetched(none)).rejects.toMatchObject({ code: 'image-unverified', class: 'verification' });
  expect(await fetched(none, { digest: `sha256:${hash(BYTES)}` })).toMatchObject({ vouched: 'digest' });
  expect(await fetched(none, { unverified: true })).toMatchObject({ vouched: 'nothing', sha256: hash(BYTES) });
  await expect(fetched(none, { digest: `sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({ code: 'download-mismatch' });
});

test('of a rolling folder, the checksum file says the name; mirrors of the user come first', async () => {
  serve('SHA256SUMS', `${hash(randomBytes(1))}  c-1.x.qcow2\n${hash(BYTES)}  c-20.x.qcow2\n`);
  serve('mirror/c-20.x.qcow2', BYTES);
  const file = await fetched(image({ url: `${server.url}/`, entry: 'c-*.x.qcow2' }), { mirrors: [`${server.url}/mirror`] });
  expect(file).toMatchObject({ name: 'c-20.x.qcow2', url: `${server.url}/mirror/c-20.x.qcow2` });
});

describe.skipIf(!CAN_SIGN)('signed (needs gpg and gpgv)', () => {
  test('detached, in line, and of the image itself; a wrong one is refused, whatever is pinned', async () => {
    await using signers = openSigners();
    const vendor = await signers.make('vendor');
    const sums = `${hash(BYTES)}  image.qcow2\n`;
    const keys = [vendor.key];
    const { fingerprint } = vendor;
    const fingerprints = [fingerprint];
    serve('SHA256SUMS.gpg', await vendor.detached(Buffer.from(sums)));
    const detached = { kind: 'detached', of: 'checksum', url: `${server.url}/SHA256SUMS.gpg`, fingerprints };
    expect(await fetched(image({ signature: detached }), { keys })).toMatchObject({ vouched: 'signature', fingerprint });
    server.requests.length = 0;
    await fetched(image({ signature: detached }), { keys });
    expect(server.requests.map(({ status }) => status)).toEqual([304]);

    const pinned = { url: `${server.url}/image.qcow2`, digest: `sha256:${hash(BYTES)}`, source: 'here' };
    await expect(fetched(image({ signature: { ...detached, fingerprints: ['A'.repeat(40)] }, pinned }), { keys })).rejects.toMatchObject({
      code: 'signature-key-unknown',
    });

    serve('CHECKSUM', await vendor.inline(`SHA256 (image.qcow2) = ${hash(BYTES)}\n`));
    const inline = image({ checksum: { url: `${server.url}/CHECKSUM`, algorithm: 'sha256', style: 'bsd' }, signature: { kind: 'inline', fingerprints } });
    expect(await fetched(inline, { keys })).toMatchObject({ vouched: 'signature', fingerprint });

    serve('image.qcow2.sig', await vendor.detached(BYTES, { armor: false }));
    const own = { kind: 'detached', of: 'image', url: `${server.url}/image.qcow2.sig`, fingerprints };
    expect(await fetched(image({ checksum: undefined, signature: own }), { keys })).toMatchObject({ vouched: 'signature', fingerprint });
    serve('image.qcow2', 'something else');
    await expect(fetched(image({ checksum: undefined, signature: own }), { keys })).rejects.toMatchObject({ code: 'signature-wrong' });
  });
});
