import { isIP, isIPv6 } from 'node:net';
import { IngotError } from '../../base/errors.ts';
import type { MachineWish } from '../platform.ts';
import { propertyString } from './properties.ts';

/**
 * Refuses an address that the server would refuse, before anything is sent: it wants the prefix, and the gateway in the same version of IP. Throws
 * `address-invalid`.
 */
export function checkAddress({ ip = 'dhcp', gateway }: Pick<MachineWish, 'ip' | 'gateway'>): void {
  if (ip === 'dhcp') return;
  const [address = '', prefix = '', ...more] = ip.split('/');
  const version = isIP(address);
  const fits = more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32);
  if (version === 0 || !fits) {
    throw new IngotError('usage', 'address-invalid', `"${ip}" is not an address with its prefix`, {
      hint: `Write dhcp, or ${version === 6 ? '2001:db8::10/64' : '192.0.2.10/24'}: the prefix says how large the network is.`,
    });
  }
  if (gateway !== undefined && isIP(gateway) !== version) {
    throw new IngotError('usage', 'address-invalid', `"${gateway}" is not the address of a gateway for ${ip}`, {
      hint: `It is an address of IPv${version}, without a prefix.`,
    });
  }
}

/** `dhcp`, or an address with its prefix and gateway; an IPv6 address goes where one belongs. */
export function ipConfig({ ip = 'dhcp', gateway }: Pick<MachineWish, 'ip' | 'gateway'>): string {
  if (ip === 'dhcp') return 'ip=dhcp';
  const six = isIPv6(ip.replace(/\/\d+$/, ''));
  return six ? propertyString(undefined, { ip6: ip, gw6: gateway }) : propertyString(undefined, { ip, gw: gateway });
}
