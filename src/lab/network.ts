import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Lab } from './model.ts';
import { findLab, labNames, type LabState } from './state.ts';
import { chooseSubnet, overlap, parseSubnet, subnetText, type Subnet } from './subnet.ts';

/** UDP ports for the frames of labs: below the range that hosts give to outgoing connections. */
const PORTS = { first: 20_000, count: 10_000 } as const;

/**
 * The network of a lab: what it has, else what its file says, else a free one. Its multicast group is chosen at random, since other homes and users of
 * this host choose too. The caller holds the lock `labs` until it is written. Throws `lab-network-taken`.
 */
export async function networkFor(context: { readonly host: Host; readonly home: Home }, lab: Lab): Promise<LabState['network']> {
  const { host, home } = context;
  const own = await findLab(host, home, lab.name);
  const others = await otherNetworks(context, lab.name);
  const wanted = lab.network === undefined ? undefined : known(lab.network);
  if (wanted !== undefined) {
    const taken = others.find(({ subnet }) => overlap(subnet, wanted));
    if (taken !== undefined) {
      throw new IngotError(
        'conflict',
        'lab-network-taken',
        `The network ${subnetText(wanted)} is in use by the lab ${taken.name}, with ${subnetText(taken.subnet)}`,
        {
          hint: 'Write another `network` into the lab file, or none: then ingot chooses a free one.',
        },
      );
    }
  }
  const subnet =
    wanted ??
    (own === undefined
      ? chooseSubnet(
          numberOf(lab.name),
          others.map((other) => other.subnet),
        )
      : known(own.network.subnet));
  if (subnet === undefined) throw new IngotError('conflict', 'lab-network-taken', 'No network for labs is free');
  if (own !== undefined) return { ...own.network, subnet: subnetText(subnet) };
  for (;;) {
    const [a = 0, b = 0, c = 0, d = 0] = host.random.bytes(4);
    // RFC 2365: the block for what stays within a site; routers do not let it out, and it never leaves the loopback interface anyway.
    const [group, port] = [`239.255.${a}.${b}`, PORTS.first + ((c * 256 + d) % PORTS.count)];
    if (!others.some((other) => other.group === group)) return { subnet: subnetText(subnet), group, port };
  }
}

async function otherNetworks({ host, home }: { readonly host: Host; readonly home: Home }, name: string) {
  const found: { readonly name: string; readonly subnet: Subnet; readonly group: string }[] = [];
  for (const other of await labNames(host, home)) {
    const state = other === name ? undefined : await findLab(host, home, other);
    const subnet = state === undefined ? undefined : known(state.network.subnet);
    if (state !== undefined && subnet !== undefined) found.push({ name: other, subnet, group: state.network.group });
  }
  return found;
}

function known(text: string): Subnet | undefined {
  const subnet = parseSubnet(text);
  return 'refusal' in subnet ? undefined : subnet;
}

/** A number made from a name, the same each time. */
function numberOf(name: string): number {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(name).digest().readUInt32BE(0);
}
