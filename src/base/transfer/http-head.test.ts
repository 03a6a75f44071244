import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteQueue } from './byte-queue.ts';
import { bodyOf, parseHead } from './http-head.ts';

test('status and headers, of any case, joined where they come twice', () => {
  const { status, headers } = parseHead('HTTP/1.1 206 Partial Content\r\nETag: "a"\r\nX-A:1\r\nx-a: 2\r\nno header', 'x');
  expect(status).toBe(206);
  expect(headers).toEqual(
    new Map([
      ['etag', '"a"'],
      ['x-a', '1, 2'],
    ]),
  );
  expect(() => parseHead('SSH-2.0-OpenSSH', 'x')).toThrow('is no HTTP');
});

/** What a body is read as, when its bytes come in pieces of these sizes. */
async function readBody(head: string, wire: Buffer, sizes: readonly number[]): Promise<Buffer> {
  const queue = new ByteQueue();
  const parts: Buffer[] = [];
  const body = bodyOf(parseHead(head, 'x'));
  const read = async (): Promise<void> => {
    for await (const piece of body.pieces(queue)) parts.push(Buffer.from(piece));
  };
  const reading = read();
  for (let at = 0, i = 0; at < wire.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    queue.add(wire.subarray(at, at + size));
    at += size;
    await Promise.resolve();
  }
  queue.end();
  await reading;
  return Buffer.concat(parts);
}

test('a body is the same however it is delimited and cut up', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 6 }), sizes, async (parts, sizes) => {
    const bytes = Buffer.concat(parts);
    const chunks = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)};x=y\r\n`), part, Buffer.from('\r\n')]);
    const chunked = Buffer.concat([...chunks, Buffer.from('0\r\nTrailer: 1\r\n\r\n')]);
    expect(await readBody('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', chunked, sizes)).toEqual(bytes);
    expect(await readBody(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}`, bytes, sizes)).toEqual(bytes);
    expect(await readBody('HTTP/1.0 200 OK', bytes, sizes)).toEqual(bytes);
  });
  await fc.assert(property, { numRuns: 50 });
  await expect(readBody('HTTP/1.1 200 OK\r\nContent-Length: 9', Buffer.from('12345678'), [3])).rejects.toMatchObject({ code: 'download-interrupted' });
});
