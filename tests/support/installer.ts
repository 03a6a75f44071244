import type { Release } from '../../src/catalog/schema.ts';

/** A release that has an installer; what is not given is as in Debian's. */
export function sampleRelease(more: Partial<Release> = {}): Release {
  return {
    id: 'debian-12',
    aliases: [],
    version: '12',
    codename: '',
    rolling: false,
    images: {},
    notes: [],
    distribution: 'debian',
    name: 'Debian',
    family: 'debian',
    keys: [],
    osId: 'debian',
    defaultUser: 'debian',
    firmware: ['bios', 'uefi'],
    traps: [],
    architectures: ['amd64', 'arm64'],
    installer: { method: 'preseed', media: { amd64: { url: 'https://mirror.example/debian-12.iso', seen: 'a test', inferred: false } } },
    ...more,
  };
}
