import { expect, test } from 'vitest';
import { updateFailure } from './apt-failure.ts';

const DOCKER = { name: 'docker', uri: 'https://mirror.example/docker/', suites: ['trixie'] };

// What apt 2.6 and 3.0 say.
const SIGNED = `W: GPG error: https://mirror.example/docker trixie InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY BAB40B9BBCF85D2D
E: The repository 'https://mirror.example/docker trixie InRelease' is not signed.`;
const MISSING = "E: The repository 'https://mirror.example/docker trixie Release' does not have a Release file.";
const UNREACHABLE = 'E: Failed to fetch https://mirror.example/docker/dists/trixie/InRelease  Could not resolve host';

test.each([
  [SIGNED, 'signature-invalid', 'is not signed by the key'],
  [MISSING, 'release-missing', 'trixie'],
  [UNREACHABLE, 'mirror-unreachable', 'could not be read'],
])('a further repository that fails is called by its name', (stderr, code, words) => {
  const error = updateFailure(stderr, [{ name: 'other', uri: 'https://mirror.example/other', suites: [] }, DOCKER]);
  expect(error.code).toBe(code);
  expect(error.message).toContain('The repository docker (https://mirror.example/docker/)');
  expect(error.message).toContain(words);
  expect(error.hint).toContain('system.repositories');
});

test.each([
  [SIGNED, 'signature-invalid', 'The repository metadata is not signed by a key that the catalog pins'],
  [MISSING, 'release-missing', 'The mirror does not have this release'],
  [UNREACHABLE, 'mirror-unreachable', 'The repository metadata could not be read from the mirror'],
  [
    'E: Release file for https://x/InRelease is expired (invalid since 2d). Updates for this repository will not be applied.',
    'metadata-expired',
    'The repository metadata is past its Valid-Until date',
  ],
])("the distribution's own is the mirror", (stderr, code, message) => {
  expect(updateFailure(stderr)).toMatchObject({ code, message });
});
