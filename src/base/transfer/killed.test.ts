import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { faultServer } from '../../../tests/support/fault-server.ts';
import { openHome, type Home } from '../home.ts';
import { realHost } from '../host.ts';
import { hostPath } from '../types.ts';
import { fetchLargeFile } from './large-file.ts';

const PROGRAM = new URL('../../../tests/support/download-and-end.ts', import.meta.url).pathname;
const BYTES = randomBytes(400_000);
const HEX = createHash('sha256').update(BYTES).digest('hex');
const host = realHost();
let root: string;
let home: Home;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-killed-'));
  home = await openHome(host, hostPath(root));
});
afterEach(() => rm(root, { recursive: true }));

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(BYTES, await readFile(join(home.disks, HEX)))).toBe(0);
  expect(await readdir(home.disks)).toEqual([HEX]);
  await rm(join(home.disks, HEX));
}

test('cut at any byte, any number of times, it has the right bytes in the end', async () => {
  await using server = await faultServer();
  const quick = { ...host, clock: { ...host.clock, sleep: async () => undefined } };
  const faults = fc.record({
    cuts: fc.array(fc.nat(BYTES.length), { maxLength: 3 }),
    ranges: fc.boolean(),
    etag: fc.constantFrom<string | null>('"one"', null, 'W/"weak"'),
    modified: fc.constantFrom<string | null>('Sun, 01 Nov 2026 10:00:00 GMT', null),
    statuses: fc.constantFrom([], [503]),
    chunked: fc.boolean(),
  });
  const property = fc.asyncProperty(faults, fc.integer({ min: 1, max: 5 }), async (file, connections) => {
    server.files.set('/a', { bytes: BYTES, ...file, cuts: [...file.cuts], statuses: file.cuts.length === 3 ? [] : [...file.statuses] });
    await fetchLargeFile(
      quick,
      home,
      { urls: [`${server.url}/a`], limit: 2 ** 30, digest: { algorithm: 'sha256', hex: HEX } },
      { offline: false, signal: new AbortController().signal, tuning: { range: 70_001, connections, saveSeconds: 60 } },
    );
    await expectWhole();
  });
  await fc.assert(property, { numRuns: 15 });
});

test('killed at any byte, again and again, it goes on from what was there and has the right bytes in the end', async () => {
  await using server = await faultServer();
  const url = `${server.url}/a`;
  const run = async (kill: (pid: number) => void): Promise<number | undefined> => {
    const child = host.processes.spawn([process.execPath, PROGRAM, root, url, HEX], { stderr: 'inherit' });
    kill(child.pid ?? 0);
    return (await child.ended).exitCode;
  };
  const property = fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 65_000 }), { minLength: 1, maxLength: 3 }), async (kills) => {
    for (const at of kills) {
      // Both connections stop in the middle of a range, so that the process cannot end before it is killed.
      server.files.set('/a', { bytes: BYTES, stalls: [at, at] });
      const exitCode = await run((pid) => {
        const seen = { before: -1 };
        server.onSent = (bytes) => {
          if (seen.before < 0) seen.before = bytes;
          if (bytes - seen.before >= at / 2) host.processes.signal(pid, 'SIGKILL');
        };
      });
      expect(exitCode).toBeUndefined();
    }
    server.onSent = () => undefined;
    server.files.set('/a', { bytes: BYTES });
    expect(await run(() => undefined)).toBe(0);
    await expectWhole();
  });
  await fc.assert(property, { numRuns: 3 });
});
