import { isIPv4 } from 'node:net';
import { IngotError } from '../../base/errors.ts';
import type { WantedPort } from './ports.ts';
import type { Forward } from './vm-record.ts';

/** A port of a guest that is to be reached through one of the host's; without `host`, ingot chooses that. */
export interface WantedForward extends Pick<Forward, 'protocol' | 'address' | 'guest'> {
  readonly host?: number;
}

const FORM = 'Write HOST:GUEST such as 8080:80, a guest port alone for a free port of the host, udp: before it for UDP, 0.0.0.0: to let others in.';

/** Reads `[tcp:|udp:][ADDRESS:][HOST:]GUEST`; throws `forward-invalid`. */
export function parseForward(text: string): WantedForward {
  const words = text.split(':');
  const [first = ''] = words;
  const protocol = first === 'udp' || first === 'tcp' ? first : undefined;
  if (protocol !== undefined) words.shift();
  const address = words.length > 1 && isIPv4(words[0] ?? '') ? words.shift() : undefined;
  const [guest, host, ...more] = words.map(portNumber).toReversed();
  if (guest === undefined || (host === undefined && words.length > 1) || more.length > 0) {
    throw new IngotError('usage', 'forward-invalid', `"${text}" is no port forward`, { hint: FORM });
  }
  return { protocol: protocol ?? 'tcp', address: address ?? '127.0.0.1', guest, ...(host === undefined ? {} : { host }) };
}

function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** A forward as {@link parseForward} reads it, the address only where it is not this host's own. */
export function formatForward({ protocol, address, host, guest }: WantedForward): string {
  return [...(protocol === 'tcp' ? [] : [protocol]), ...(address === '127.0.0.1' ? [] : [address]), ...(host === undefined ? [] : [host]), guest].join(':');
}

/** What a forward was asked for as. */
export function wishOf({ host, chosen, ...rest }: Forward): WantedForward {
  return chosen === undefined ? { ...rest, host } : rest;
}

/** A forward for people: `127.0.0.1:8080 -> 80 (tcp)`. */
export function describeForward({ protocol, address, host, guest }: Forward): string {
  return `${address}:${host} -> ${guest} (${protocol})`;
}

/** Refuses a port of the host that is named twice; throws `forward-twice`. */
export function checkForwards(wanted: readonly WantedForward[], sshPort?: number): void {
  const seen = new Set(sshPort === undefined ? [] : [`tcp ${sshPort}`]);
  for (const forward of wanted) {
    if (forward.host === undefined) continue;
    const key = `${forward.protocol} ${forward.host}`;
    if (seen.has(key)) throw new IngotError('usage', 'forward-twice', `Port ${forward.host} (${forward.protocol}) of the host is asked for twice`);
    seen.add(key);
  }
}

/** What a forward needs of the host: its own port again, where it has one. */
export function portFor({ protocol, address, host, chosen }: WantedForward & Pick<Forward, 'chosen'>): WantedPort {
  return { protocol, address, ...(host === undefined ? {} : { preferred: host, fixed: chosen === undefined }) };
}

/** The forward with the port that it got. */
export function forwardAt(wanted: WantedForward & Pick<Forward, 'chosen'>, host: number): Forward {
  const { protocol, address, guest, chosen } = wanted;
  return { protocol, address, host, guest, ...(wanted.host === undefined || chosen === true ? { chosen: true } : {}) };
}
