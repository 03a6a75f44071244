import { randomBytes, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSigned } from '../../../tests/simulators/proxmox/self-signed.ts';
import { faultServer } from '../../../tests/support/fault-server.ts';
import { openConnections } from './http.ts';
import type { TlsTrust } from './socket.ts';

const BYTES = randomBytes(100_000);

test('a certificate is trusted that is named, by itself or by its fingerprint, and no other one; nothing is asked of another', async () => {
  const { key, certificate } = selfSigned('server of a test');
  const fingerprint = new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase();
  await using server = await faultServer({ key, cert: certificate });
  server.files.set('/a', { bytes: BYTES });
  const read = async (trust?: TlsTrust): Promise<Buffer> => {
    using http = openConnections({}, trust);
    const answer = await http.get(`${server.url}/a`, { signal: new AbortController().signal, stallSeconds: 20 });
    const pieces: Buffer[] = [];
    for await (const piece of answer.pieces()) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  };
  await expect(read()).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining('is not trusted') });
  await expect(read({ ca: [selfSigned('another').certificate] })).rejects.toMatchObject({ code: 'download-failed' });
  await expect(read({ fingerprint: 'ab'.repeat(32) })).rejects.toMatchObject({ code: 'INGOT_FINGERPRINT' });
  expect(server.requests).toEqual([]);
  expect(await read({ ca: [certificate] })).toEqual(BYTES);
  expect(await read({ fingerprint })).toEqual(BYTES);
});
