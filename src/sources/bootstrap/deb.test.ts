import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostProcesses } from '../../base/process.ts';
import { expandDeb, readMembers } from './deb.ts';

let folder = '';
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'ingot-deb-'))));
afterAll(() => rm(folder, { recursive: true }));

const member = (name: string, data: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`),
    data,
    Buffer.alloc(data.length % 2, '\n'),
  ]);
const archive = (members: Readonly<Record<string, Uint8Array>>): Buffer =>
  Buffer.concat([Buffer.from('!<arch>\n'), ...Object.entries(members).map(([name, data]) => member(name, data))]);

async function members(path: string): Promise<Record<string, Buffer>> {
  await using file = await open(path);
  const bytes = await readFile(path);
  return Object.fromEntries((await readMembers(file, path)).map(({ name, offset, size }) => [name, bytes.subarray(offset, offset + size)]));
}

const compressions = { '': (data: Uint8Array) => data, '.gz': gzipSync, '.zst': zstdCompressSync };

test('an expanded package has the same control member and the data as it was before compression', async () => {
  const from = join(folder, 'from.deb');
  const to = join(folder, 'to.deb');
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 5000 }),
      fc.constantFrom<keyof typeof compressions>('', '.gz', '.zst'),
      async (control, data, suffix) => {
        await writeFile(from, archive({ 'debian-binary': Buffer.from('2.0\n'), 'control.tar.xz': control, [`data.tar${suffix}`]: compressions[suffix](data) }));
        await expandDeb(hostProcesses, from, to);
        const found = await members(to);
        expect(Object.keys(found)).toEqual(['debian-binary', 'control.tar.xz', 'data.tar']);
        expect([...(found['control.tar.xz'] ?? [])]).toEqual([...control]);
        expect([...(found['data.tar'] ?? [])]).toEqual([...data]);
      },
    ),
    { numRuns: 40 },
  );
});

test('the quick form expands to the same package, and a damaged one is told', async () => {
  const from = join(folder, 'once.deb');
  const quick = join(folder, 'quick.deb');
  const to = join(folder, 'expanded.deb');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 1, maxLength: 5000 }), fc.nat(), async (control, data, place) => {
      await writeFile(from, archive({ 'debian-binary': Buffer.from('2.0\n'), 'control.tar.xz': control, 'data.tar.gz': gzipSync(data) }));
      await expandDeb(hostProcesses, from, to, quick);
      const expanded = await readFile(to);
      await expandDeb(hostProcesses, quick, to);
      expect(await readFile(to)).toEqual(expanded);
      const { offset, size } = await memberAt(quick, 'data.tar.zst');
      const bytes = await readFile(quick);
      const at = offset + (place % size);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(quick, bytes);
      const result = await expandDeb(hostProcesses, quick, to).then(
        () => readFile(to),
        (error: unknown) => error,
      );
      // A bit of the frame's header may mean nothing; what comes out is right, or nothing does.
      if (result instanceof Buffer) expect(result).toEqual(expanded);
      else expect(result).toBeInstanceOf(Error);
    }),
    { numRuns: 60 },
  );
});

async function memberAt(path: string, name: string): Promise<{ offset: number; size: number }> {
  await using file = await open(path);
  const found = (await readMembers(file, path)).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

test('bytes that are no package are refused, wherever they are cut', async () => {
  const path = join(folder, 'cut.deb');
  const whole = archive({ 'debian-binary': Buffer.from('2.0\n'), 'control.tar.gz': gzipSync('c'), 'data.tar.gz': gzipSync('data') });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 3 }), async (length) => {
      await writeFile(path, whole.subarray(0, length));
      await expect(expandDeb(hostProcesses, path, join(folder, 'out.deb'))).rejects.toMatchObject({ code: 'package-damaged' });
    }),
  );
});
