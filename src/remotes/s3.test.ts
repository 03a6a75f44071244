import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { remoteContext, sourceHome } from '../../tests/support/remote-lab.ts';
import { removeSampleHomes, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { simulateS3, type SimulatedS3 } from '../../tests/simulators/s3/s3.ts';
import { digestOf } from '../store/writing.ts';
import { parseRemoteAddress } from './address.ts';
import { openRemote } from './open.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';
import { EMPTY_HASH, signV4 } from './signature-v4.ts';
import { valuesIn } from './xml.ts';

afterAll(removeSampleHomes);

const AT = parseRemoteAddress('s3://images/golden/x y/web'.replace(' y', '-y'));
const PULL = { plainHttp: false, force: false };

function contextOf(at: SampleHome, s3: SimulatedS3, key = s3.secretAccessKey) {
  return remoteContext(at, {}, [], { AWS_ENDPOINT_URL: s3.endpoint, AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: key });
}

/** The examples of AWS's own documentation of Signature Version 4 for S3. */
test.each([
  ['GET', '/test.txt', { range: 'bytes=0-9' }, EMPTY_HASH, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
  [
    'PUT',
    '/test%24file.text',
    { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  ['GET', '/?lifecycle=', {}, EMPTY_HASH, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ['GET', '/?prefix=J&max-keys=2', {}, EMPTY_HASH, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
])('signs %s %s as AWS documents it', (method, path, headers, bodyHash, signature) => {
  const signed = signV4(
    { method, url: new URL(path, 'https://examplebucket.s3.amazonaws.com'), headers: { ...headers, 'x-amz-content-sha256': bodyHash }, bodyHash },
    {
      credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
      region: 'us-east-1',
      service: 's3',
      now: new Date('2013-05-24T00:00:00Z'),
    },
  );
  expect(signed['authorization']).toMatch(new RegExp(`Signature=${signature}$`));
});

test('what was pushed is pulled, with its statements, and is not sent twice', async () => {
  await using s3 = await simulateS3();
  await using here = await sourceHome();
  await using there = await sampleHome();
  const pushed = await pushImage(contextOf(here, s3), 'web:1.4', AT, { plainHttp: false });
  expect(pushed).toMatchObject({ address: 's3://images/golden/x-y/web:1.4', statements: 1, sent: pushed.blobs });
  expect(await pushImage(contextOf(here, s3), 'web', AT, { plainHttp: false })).toMatchObject({ sent: 0 });
  expect(await pullImage(contextOf(there, s3), { ...AT, tag: '1.4' }, PULL)).toMatchObject({ reference: 'web:1.4', statements: 1 });
  expect((await there.store.resolve('web:1.4')).gate?.result).toBe('passed');
  expect((await there.store.verify()).problems).toEqual([]);
  await expect(pushImage(contextOf(here, s3, 'another'), 'web', AT, { plainHttp: false })).rejects.toMatchObject({ code: 'remote-refused' });
  await expect(pullImage(contextOf(there, s3), { ...AT, tag: 'nothing' }, PULL)).rejects.toMatchObject({ code: 'remote-unknown' });
});

test('a large blob goes in parts, and a later command sends only those that did not arrive', async () => {
  await using s3 = await simulateS3();
  await using at = await sampleHome();
  const bytes = randomBytes(20 * 2 ** 20);
  const path = join(at.home.root, 'large');
  await at.host.files.write(path, bytes);
  const blob = { digest: digestOf(bytes), size: bytes.length, path };
  const stop = new AbortController();
  const context = contextOf(at, s3);
  const first = await openRemote(context, AT, { push: true, plainHttp: false });
  await expect(first.send(blob, { signal: stop.signal, onProgress: () => stop.abort() })).rejects.toThrow();
  const before = s3.requests.length;
  const second = await openRemote(context, AT, { push: true, plainHttp: false });
  await second.send(blob, { signal: context.signal, onProgress: () => undefined });
  expect(s3.requests.slice(before).filter((line) => line.startsWith('PUT'))).toHaveLength(2);
  expect(await second.size(blob.digest)).toBe(bytes.length);
  expect(s3.uploads.size).toBe(0);
  await at.host.files.writePart(path, 100, Buffer.from('changed'));
  await expect(
    (await openRemote(context, { ...AT, repository: 'web' }, { push: true, plainHttp: false })).send(blob, {
      signal: context.signal,
      onProgress: () => undefined,
    }),
  ).rejects.toMatchObject({ code: 'image-damaged' });
  expect(s3.uploads.size).toBe(0);
});

test('cut at any request, the same command goes on, and the result is right', { timeout: 300_000 }, async () => {
  await using here = await sourceHome();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 35 }), fc.constantFrom<'before' | 'after'>('before', 'after'), async (where, how) => {
      await using s3 = await simulateS3();
      s3.cut = { at: where, how };
      await using there = await sampleHome();
      await pushImage(contextOf(here, s3), 'web', AT, { plainHttp: false });
      await pullImage(contextOf(there, s3), AT, PULL);
      expect((await there.store.resolve('web')).digest).toBe((await here.store.resolve('web')).digest);
      expect((await there.store.verify()).problems).toEqual([]);
    }),
    { numRuns: 15 },
  );
});

test('texts of XML, entities replaced, whatever comes', () => {
  expect(valuesIn('<a><Key>x&amp;y&#65;&#x42;&quot;</Key><Key a="b">z</Key><Key>', 'Key')).toEqual(['x&yAB"', 'z']);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => valuesIn(`<Key>${text}`, 'Key').length >= 0));
});
