import { expect, test } from 'vitest';
import { squashfsLine, tarLine, wordsOf, type Listed } from './squashfs-check.ts';

const pairs = [
  ['drwxr-xr-x 0/0               0 2026-01-01 00:00 ./', 'drwxr-xr-x 0/0                27 2026-01-01 00:00 squashfs-root', '. d rwxr-xr-x 0/0'],
  ['drwxrwxrwt 0/0               0 2026-01-01 00:00 ./tmp/', 'drwxrwxrwt 0/0                27 2026-01-01 00:00 squashfs-root/tmp', './tmp d rwxrwxrwt 0/0'],
  [
    'lrwxrwxrwx 0/0               0 2026-01-01 00:00 ./bin -> usr/bin',
    'lrwxrwxrwx 0/0                 7 2026-01-01 00:00 squashfs-root/bin -> usr/bin',
    './bin l rwxrwxrwx 0/0',
  ],
  [
    '-rw-r----- 0/42            501 2026-01-01 00:00 ./etc/a b',
    '-rw-r----- 0/42              501 2026-01-01 00:00 squashfs-root/etc/a b',
    './etc/a b - rw-r----- 0/42 501',
  ],
  [
    // systemd's names of units have backslashes.
    String.raw`-rw-r--r-- 0/0             454 2026-01-01 00:00 ./system-a\x2db.slice`,
    String.raw`-rw-r--r-- 0/0              454 2026-01-01 00:00 squashfs-root/system-a\x2db.slice`,
    String.raw`./system-a\x2db.slice - rw-r--r-- 0/0 454`,
  ],
] as const;

const words = (listed: Listed | undefined, sizes = new Map<string, string>()): string => (listed === undefined ? 'no entry' : wordsOf(listed, sizes));

test.each(pairs)('%s is the same in both listings', (tar, squashfs, entry) => {
  expect([words(tarLine(tar)), words(squashfsLine(squashfs))]).toEqual([entry, entry]);
});

test('a hard link is a file like the first, and what is no entry is none', () => {
  const link = tarLine('hrwxr-xr-x 0/0               0 2026-01-01 00:00 ./usr/bin/perl5 link to ./usr/bin/perl');
  expect(words(link, new Map([['./usr/bin/perl', '12']]))).toBe('./usr/bin/perl5 - rwxr-xr-x 0/0 12');
  expect(tarLine('tar: something')).toBeUndefined();
  expect(squashfsLine('')).toBeUndefined();
});
