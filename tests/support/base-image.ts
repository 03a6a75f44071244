import { parseDigest } from '../../src/base/types.ts';
import { keyOf } from '../../src/base/hash.ts';
import type { Release } from '../../src/catalog/schema.ts';
import type { BaseImage } from '../../src/plan/plan.ts';

/** An image of a release to plan on, of which there is no disk. */
export function baseImageOf({ id }: Release): BaseImage {
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
  return {
    reference: `${id}:latest`,
    digest,
    release: id,
    arch: 'amd64',
    layers: [{ name: id, kind: 'disk', key: keyOf({ id }), digest, size: 1, packages: [], removed: [] }],
    kernel: 'cloud',
    virtualSize: 4 * 2 ** 30,
    kernelArguments: [],
    repositories: [],
    expiredMetadata: false,
  };
}
