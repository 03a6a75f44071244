/*
 * IPv4 networks as numbers. Pure.
 */

/** An IPv4 network. */
export interface Subnet {
  /** The first address. */
  readonly base: number;
  readonly prefix: number;
}

/** QEMU's own network, on which every VM reaches the host's. */
const QEMU_NETWORK: Subnet = { base: addressNumber('10.0.2.0') ?? 0, prefix: 24 };
/** A member's address is above those that people give to routers and the like. */
const FIRST_HOST = 11;
const PREFIXES = { least: 16, most: 28 } as const;

/** The number of an address; undefined where it is none. */
export function addressNumber(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** An address as people write it. */
export function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

export function subnetText({ base, prefix }: Subnet): string {
  return `${addressText(base)}/${prefix}`;
}

/** Reads a network such as 10.77.0.0/24; or why it cannot be one of a lab, as the rest of a sentence. */
export function parseSubnet(text: string): Subnet | { readonly refusal: string; readonly hint?: string } {
  const [address = '', length = ''] = text.split('/');
  const [base, prefix] = [addressNumber(address), Number(length)];
  if (base === undefined || !Number.isInteger(prefix) || prefix > 32) return { refusal: 'is no IPv4 network' };
  if (prefix < PREFIXES.least || prefix > PREFIXES.most) return { refusal: `must have a prefix between /${PREFIXES.least} and /${PREFIXES.most}` };
  const start = base - (base % size(prefix));
  if (start !== base) return { refusal: 'does not begin with its first address', hint: `Write ${subnetText({ base: start, prefix })}.` };
  const subnet = { base, prefix };
  if (overlap(subnet, QEMU_NETWORK)) return { refusal: `overlaps ${subnetText(QEMU_NETWORK)}, on which every VM reaches the world` };
  if (!isPrivate(base)) return { refusal: 'is no private network', hint: 'Use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918).' };
  return subnet;
}

function size(prefix: number): number {
  return 2 ** (32 - prefix);
}

function isPrivate(base: number): boolean {
  const within = (text: string, prefix: number): boolean => Math.floor(base / size(prefix)) === Math.floor((addressNumber(text) ?? 0) / size(prefix));
  return within('10.0.0.0', 8) || within('172.16.0.0', 12) || within('192.168.0.0', 16);
}

/** Whether two networks share an address. */
export function overlap(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + size(b.prefix) && b.base < a.base + size(a.prefix);
}

/** How many members have room. */
export function capacity({ prefix }: Subnet): number {
  return size(prefix) - 2 - (firstHost(prefix) - 1);
}

/** In a network too small for that, all addresses are members'. */
function firstHost(prefix: number): number {
  return prefix > 26 ? 1 : FIRST_HOST;
}

/** A network for a lab: the same for the same name, unless another lab has it. `start` is any number made from the name. */
export function chooseSubnet(start: number, taken: readonly Subnet[]): Subnet | undefined {
  const count = 128 * 256;
  for (let i = 0; i < count; i++) {
    const index = (start + i) % count;
    // 10.64.0.0 to 10.191.255.0: in the middle of what is private, where routers at home and VPNs rarely are.
    const subnet = { base: 2 ** 24 * 10 + 2 ** 16 * (64 + Math.floor(index / 256)) + 2 ** 8 * (index % 256), prefix: 24 };
    if (!taken.some((other) => overlap(subnet, other))) return subnet;
  }
  return undefined;
}

/** An address for each member: those who have one in the network keep it, the others get the lowest that are free. Undefined where there are too few. */
export function assignAddresses(subnet: Subnet, members: readonly string[], known: ReadonlyMap<string, string>): Map<string, string> | undefined {
  const addresses = new Map<string, string>();
  const taken = new Set<number>();
  const [low, high] = [subnet.base + firstHost(subnet.prefix), subnet.base + size(subnet.prefix) - 2];
  for (const member of members) {
    const number = addressNumber(known.get(member) ?? '');
    if (number === undefined || number < low || number > high || taken.has(number)) continue;
    taken.add(number);
    addresses.set(member, addressText(number));
  }
  let next = low;
  for (const member of members) {
    if (addresses.has(member)) continue;
    while (taken.has(next)) next += 1;
    if (next > high) return undefined;
    taken.add(next);
    addresses.set(member, addressText(next));
  }
  return addresses;
}
