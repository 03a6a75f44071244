import { parseName } from '../../src/base/types.ts';
import type { ResolvedTemplate } from '../../src/template/template.ts';

/** A template that asks for nothing but a release. */
export const SAMPLE_TEMPLATE: ResolvedTemplate = {
  name: parseName('web', 'an image'),
  labels: {},
  base: { kind: 'release', release: 'debian-12' },
  arch: 'amd64',
  kernel: 'cloud',
  disk: { size: 4 * 2 ** 30, filesystem: 'ext4' },
  roles: [],
  update: 'none',
  packages: [],
  snaps: [],
  users: [],
  system: { 'kernel-arguments': [], sysctl: {}, ntp: [], trustedCa: [], repositories: [] },
  steps: [],
  tests: [],
  outputs: [],
};
