import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import type { FileStatus } from '../base/files.ts';
import { readTar, TAR_END, tarHeader, tarPadding } from './tar.ts';

/** A file in memory. */
function fileOf(bytes: Uint8Array) {
  return {
    status: () =>
      Promise.resolve<FileStatus>({ size: bytes.length, allocated: bytes.length, modified: new Date(0), kind: 'file', mode: 0o644, inode: 1, version: '1' }),
    readPart: (_path: string, position: number, length: number) => Promise.resolve(bytes.subarray(position, position + length)),
  };
}

function tarOf(files: readonly (readonly [string, string])[]): Buffer {
  const parts = files.flatMap(([name, text]) => {
    const data = Buffer.from(text);
    return [tarHeader(name, data.length), data, tarPadding(data.length)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

const contents = fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,20}(\/[a-z0-9]{1,20}){0,2}$/), fc.string({ maxLength: 1200 }), { noNullPrototype: true });

test('what is written is read, each file where its bytes are', async () => {
  await fc.assert(
    fc.asyncProperty(contents, async (files) => {
      const tar = tarOf(Object.entries(files));
      const entries = await readTar(fileOf(tar), 'x.tar');
      const read = [...entries.values()].map(({ name, size, position }) => [name, tar.toString('utf8', position, position + size)]);
      expect(read).toEqual(Object.entries(files));
    }),
  );
});

test('a cut or changed archive is refused, or read; never a crash, and never bytes beyond its end', async () => {
  const tar = tarOf([
    ['index.json', 'x'.repeat(700)],
    ['blobs/a', 'y'.repeat(100)],
  ]);
  const change = fc.record({ at: fc.nat(tar.length - 1), byte: fc.nat(255), length: fc.nat(tar.length) });
  await fc.assert(
    fc.asyncProperty(change, async ({ at, byte, length }) => {
      const bytes = Buffer.from(tar);
      bytes.writeUInt8(byte, at);
      const cut = bytes.subarray(0, length);
      try {
        for (const { position, size } of (await readTar(fileOf(cut), 'x.tar')).values()) expect(position + size).toBeLessThanOrEqual(cut.length);
      } catch (error) {
        expect(error).toBeInstanceOf(IngotError);
        expect(error).toMatchObject({ code: 'archive-invalid' });
      }
    }),
    { numRuns: 500 },
  );
  for (let length = 0; length < tar.length - TAR_END.length; length += 13)
    await expect(readTar(fileOf(tar.subarray(0, length)), 'x.tar'), `${length} bytes`).rejects.toMatchObject({ code: 'archive-invalid' });
});

test.each([['../../etc/passwd'], ['/etc/passwd'], ['blobs/../../x'], ['a\\b'], ['a\u0001b']])('the name %j is refused', async (name) => {
  await expect(readTar(fileOf(tarOf([[name, 'x']])), 'x.tar')).rejects.toThrow(/leads out of it/);
});

test('a file that comes twice is refused', async () => {
  const twice = tarOf([
    ['a', '1'],
    ['./a', '2'],
  ]);
  await expect(readTar(fileOf(twice), 'x.tar')).rejects.toThrow(/twice/);
});

test('sizes beyond 8 GiB are written and read', async () => {
  const size = 9 * 2 ** 30;
  const header = tarHeader('large', size);
  const files = {
    ...fileOf(header),
    status: async () => ({ ...(await fileOf(header).status()), size: size + 4096 }),
    readPart: (_: string, position: number, length: number) => Promise.resolve(position === 0 ? header : Buffer.alloc(length)),
  };
  expect((await readTar(files, 'x.tar')).get('large')).toEqual({ name: 'large', size, position: 512 });
});

describe('archives of the system tar', () => {
  const hasTar = ((): boolean => {
    try {
      return execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar');
    } catch {
      return false;
    }
  })();

  test.skipIf(!hasTar).each(['ustar', 'gnu', 'pax'])('in the format %s are read, and links in them refused (skipped without GNU tar)', async (format) => {
    const folder = await mkdtemp(join(tmpdir(), 'ingot-test-'));
    await using _undo = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
    const name = format === 'ustar' ? 'a.json' : `${'long'.repeat(40)}.json`;
    await writeFile(join(folder, name), 'content');
    const make = (): Buffer => execFileSync('tar', ['-c', `--format=${format}`, '-C', folder, '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const tar = make();
    const entry = (await readTar(fileOf(tar), 'x.tar')).get(name);
    expect(tar.toString('utf8', entry!.position, entry!.position + entry!.size)).toBe('content');
    await symlink('/etc/shadow', join(folder, 'link'));
    await expect(readTar(fileOf(make()), 'x.tar')).rejects.toThrow(/neither a file nor a folder/);
  });
});
