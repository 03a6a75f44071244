import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { IngotError } from '../../base/errors.ts';

export interface ServeAddress {
  readonly address: string;
  readonly port: number | undefined;
}

/** Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Throws `serve-address-invalid`. */
export function parseServeAddress(text: string): ServeAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:\s/]+))(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const address = bracketed ?? plain ?? (isIPv6(text.trim()) ? text.trim() : undefined);
  if (address !== undefined && Number(port ?? 1) > 0 && Number(port ?? 1) < 65_536) return { address, port: port === undefined ? undefined : Number(port) };
  throw new IngotError('usage', 'serve-address-invalid', `"${text}" is no address to serve the image at`, {
    hint: 'It is ADDRESS or ADDRESS:PORT, as secondary storage VMs reach this host: 192.0.2.5:8000.',
  });
}

/** The address of this host on the way to a server: nothing is sent to find it out. */
export async function ownAddressTowards(url: string): Promise<string> {
  const { hostname } = new URL(url);
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  const { address, family } = isIP(name) === 0 ? await lookup(name) : { address: name, family: isIP(name) };
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('error', reject);
    socket.connect(9, address, () => resolve());
    await promise;
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** Addresses from which CloudStack fetches nothing, whatever its settings. */
const REFUSED = /^(?:127\.|0\.0\.0\.0$|169\.254\.|22[4-9]\.|23\d\.|localhost$|::1$|fe80:|ff)/i;

/**
 * Checks that the platform would fetch from an address; on a management server that runs on this host, anything goes. Throws `serve-address-unfit`.
 */
export function checkServeAddress(address: string, server: string): void {
  if (!REFUSED.test(address) || REFUSED.test(new URL(server).hostname)) return;
  throw new IngotError('usage', 'serve-address-unfit', `CloudStack fetches nothing from ${address}`, {
    hint: 'Give the address at which secondary storage VMs reach this host with --serve, or upload from here with --transfer upload.',
  });
}

/** Whether an address is of a private network, from which a server fetches only what secstorage.allowed.internal.sites names. */
export function isPrivate(address: string): boolean {
  return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|f[cd])/i.test(address);
}
