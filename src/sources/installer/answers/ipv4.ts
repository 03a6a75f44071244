import { unreadable } from './answer-files.ts';

/** An address with its prefix, as address and netmask. */
export function withNetmask(address: string): { readonly ip: string; readonly netmask: string } {
  const [ip = '', prefix = '0'] = address.split('/');
  const netmask = [0, 1, 2, 3].map((octet) => 256 - 2 ** (8 - Math.min(8, Math.max(0, Number(prefix) - 8 * octet)))).join('.');
  return { ip, netmask };
}

/** The reverse of {@link withNetmask}; throws `answers-unreadable` for a mask with gaps. */
export function withPrefix(ip: string, netmask: string): string {
  const prefix = Array.from({ length: 33 }, (_, bits) => bits).find((bits) => withNetmask(`${ip}/${bits}`).netmask === netmask);
  if (prefix === undefined) throw unreadable(`${netmask} is no netmask`);
  return `${ip}/${prefix}`;
}
