import type { Host } from '../../base/host.ts';

/** A random UUID (RFC 9562, version 4) from the host's randomness. */
export function randomUuid(host: Pick<Host, 'random'>): string {
  const bytes = Buffer.from(host.random.bytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A random address for a network card, in the block that QEMU and KVM use. */
export function randomMac(host: Pick<Host, 'random'>): string {
  return ['52', '54', '00', ...Array.from(host.random.bytes(3), (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
