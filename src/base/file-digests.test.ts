import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { FileDigests } from './file-digests.ts';
import type { Host } from './host.ts';

const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

/** The host some seconds later, which counts what is hashed. */
function counting(at: SampleHome, hashed: string[], seconds = 10): Host {
  const { clock, files } = at.host;
  return {
    ...at.host,
    clock: { ...clock, now: () => new Date(clock.now().getTime() + seconds * 1000) },
    files: { ...files, sha256: (path) => (hashed.push(path), files.sha256(path)) },
  };
}

async function digest(host: Host, at: SampleHome, path: string): Promise<string> {
  const digests = await FileDigests.open(host, at.home);
  const status = await host.files.status(path);
  if (status === undefined) throw new Error('not there');
  const hex = await digests.of(path, status);
  await digests.save();
  return hex;
}

test('an unchanged file is read once, a changed one again, even with its old size and date', async () => {
  await using at = await sampleHome();
  const hashed: string[] = [];
  const host = counting(at, hashed);
  const path = join(at.home.root, 'disk');
  await at.host.files.makeDirectory(join(at.home.root, 'cache'));
  await writeFile(path, 'hello');
  const date = new Date(1_700_000_000_000);
  await utimes(path, date, date);
  expect([await digest(host, at, path), await digest(host, at, path), hashed.length]).toEqual([HELLO, HELLO, 1]);
  await writeFile(path, 'hollo');
  await utimes(path, date, date);
  expect(await digest(host, at, path)).not.toBe(HELLO);
  expect(hashed).toHaveLength(2);
});

test('what was changed a moment ago is not remembered, and a cache that cannot be read is made again', async () => {
  await using at = await sampleHome();
  const hashed: string[] = [];
  const path = join(at.home.root, 'disk');
  await writeFile(path, 'hello');
  const now = counting(at, hashed, 0);
  expect([await digest(now, at, path), await digest(now, at, path), hashed.length]).toEqual([HELLO, HELLO, 2]);
  await writeFile(at.home.fileDigests, '{"half": ');
  expect(await digest(counting(at, hashed), at, path)).toBe(HELLO);
  expect(await digest(counting(at, hashed), at, path)).toBe(HELLO);
  expect(hashed).toHaveLength(3);
});
