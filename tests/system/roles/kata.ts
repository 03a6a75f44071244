import type { RoleCase } from './case.ts';
import { KATA_SHA256, KATA_STATIC } from './stand-ins/kata.ts';
import { kubernetesPackages } from './stand-ins/kubernetes.ts';

const ARCHIVES = Object.fromEntries(['amd64', 'arm64'].map((arch) => [`4.1.0/kata-static-4.1.0-${arch}.tar.zst`, KATA_STATIC]));

export const cases: readonly RoleCase[] = [
  {
    role: 'kata',
    variant: 'kubernetes',
    with: ['kubernetes'],
    parameters: { sha256: KATA_SHA256 },
    standIn: { repositories: [{ name: 'kubernetes', packages: kubernetesPackages('1.36'), suites: ['/'] }], files: ARCHIVES },
    served: ({ url }) => ({ parameters: { address: url } }),
  },
  {
    role: 'kata',
    variant: 'docker',
    with: ['docker'],
    parameters: { sha256: KATA_SHA256 },
    standIn: { files: ARCHIVES },
    served: ({ url }) => ({ parameters: { address: url } }),
  },
];
