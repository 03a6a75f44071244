import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { keyFingerprints } from './openpgp.ts';

const folder = new URL('../../catalog/', import.meta.url);

test("the archive's keys have the fingerprints that the catalog pins", async () => {
  const keys = await readFile(new URL('keys/debian-archive.asc', folder));
  const {
    archive: { fingerprints },
  } = z.object({ archive: z.object({ fingerprints: z.array(z.string()) }) }).parse(parse(await readFile(new URL('distros/debian.yaml', folder), 'utf8')));
  expect(keyFingerprints(keys).toSorted()).toEqual(fingerprints.toSorted());
});

test('what is no key has no fingerprints', () => {
  expect(keyFingerprints(Buffer.from('<html>404</html>'))).toEqual([]);
  expect(keyFingerprints(Buffer.from('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnot base64 at all\n-----END PGP PUBLIC KEY BLOCK-----\n'))).toEqual([]);
});

test('any bytes are read to their end', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => Array.isArray(keyFingerprints(bytes))));
});
