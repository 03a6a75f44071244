import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { simulateRegistry } from '../../tests/simulators/registry/registry.ts';
import { remoteContext } from '../../tests/support/remote-lab.ts';
import { removeSampleHomes, sampleHome } from '../../tests/support/sample-images.ts';
import { digestOf } from '../store/writing.ts';
import { parseRemoteAddress } from './address.ts';
import { fetchBlob } from './fetch-blob.ts';
import { openRemote } from './open.ts';

afterAll(removeSampleHomes);

// Larger than what a thread of its own hashes, and no multiple of what is written at once.
const BYTES = randomBytes(20 * 2 ** 20 + 7);
const BLOB = { digest: digestOf(BYTES), size: BYTES.length };

test.each([true, false])('a large blob whose answer is cut goes on where it was, or from the start where the server gives no ranges (%s)', async (ranges) => {
  await using registry = await simulateRegistry();
  await using there = await sampleHome();
  registry.blobs.set(BLOB.digest, BYTES);
  registry.repository('web').blobs.add(BLOB.digest);
  registry.behaviour.ranges = ranges;
  // Refused, told a token, then given.
  registry.behaviour.auth = { kind: 'bearer', user: 'me', password: 'secret' };
  registry.behaviour.cut = { at: 3, how: 'answer' };
  const plain = remoteContext(there);
  const name = `INGOT_SECRET_REGISTRY_${registry.server.replaceAll(/[^0-9]/g, '_')}`;
  const context = { ...plain, host: { ...plain.host, env: { [name]: 'me:secret' } } };
  const remote = await openRemote(context, parseRemoteAddress(`oci://${registry.server}/web`), { push: false, plainHttp: true });
  const into = join(there.home.root, 'into');
  await mkdir(into);
  const seen: number[] = [];
  const file = await fetchBlob(context, remote, BLOB, { what: 'the blob', into, onProgress: (done) => void seen.push(done) });
  expect(Buffer.compare(await readFile(file), BYTES)).toBe(0);
  expect(seen.at(-1)).toBe(BYTES.length);
  expect(registry.requests.filter((request) => request === `GET /v2/web/blobs/${BLOB.digest}`)).toHaveLength(3);
});

test('a large blob with other bytes, or more of them, is refused', async () => {
  await using registry = await simulateRegistry();
  await using there = await sampleHome();
  const context = remoteContext(there);
  const remote = await openRemote(context, parseRemoteAddress(`oci://${registry.server}/web`), { push: false, plainHttp: true });
  registry.repository('web').blobs.add(BLOB.digest);
  const fetching = { what: 'the blob', into: there.home.root };
  registry.blobs.set(BLOB.digest, Buffer.concat([BYTES.subarray(1), Buffer.from('x')]));
  await expect(fetchBlob(context, remote, BLOB, fetching)).rejects.toMatchObject({ code: 'remote-mismatch' });
  registry.blobs.set(BLOB.digest, Buffer.concat([BYTES, Buffer.from('x')]));
  await expect(fetchBlob(context, remote, BLOB, fetching)).rejects.toMatchObject({ code: 'remote-invalid' });
});
