import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpioArchive, type CpioEntry } from './cpio.ts';

/** Reads an archive back, as the kernel does. */
function readArchive(archive: Buffer): { path: string; mode: number; uid: number; data: Buffer }[] {
  const entries = [];
  for (let at = 0; ;) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (i: number): number => Number.parseInt(archive.toString('latin1', at + 6 + i * 8, at + 14 + i * 8), 16);
    const path = archive.toString('utf8', at + 110, at + 110 + field(11) - 1);
    const start = Math.ceil((at + 110 + field(11)) / 4) * 4;
    if (path === 'TRAILER!!!') return entries;
    entries.push({ path, mode: field(1), uid: field(2), data: archive.subarray(start, start + field(6)) });
    at = Math.ceil((start + field(6)) / 4) * 4;
  }
}

test('an archive holds what went into it, all of it root’s', () => {
  const entry = fc.record({ path: fc.stringMatching(/^[a-z]{1,20}$/), mode: fc.integer({ min: 0, max: 0o7777 }), data: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      const read = readArchive(cpioArchive(entries));
      expect(read).toEqual(entries.map(({ path, mode, data }) => ({ path, mode: mode | 0o100000, uid: 0, data: Buffer.from(data) })));
    }),
  );
});

test.skipIf(!existsSync('/usr/bin/cpio'))('cpio itself reads it (skipped where it is not installed)', () => {
  const entries: CpioEntry[] = [
    { path: 'bin', mode: 0o755 },
    { path: 'bin/sh', mode: 0o755, data: Buffer.from('a shell') },
  ];
  const listing = execFileSync('/usr/bin/cpio', ['-itv', '--quiet'], { input: cpioArchive(entries), encoding: 'utf8' });
  expect(listing).toMatch(/^drwxr-xr-x .* root +root .* bin$/m);
  expect(listing).toMatch(/^-rwxr-xr-x .* root +root +7 .* bin\/sh$/m);
});
