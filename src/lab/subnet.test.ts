import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressNumber, addressText, assignAddresses, capacity, chooseSubnet, overlap, parseSubnet, subnetText, type Subnet } from './subnet.ts';

function subnet(text: string): Subnet {
  const parsed = parseSubnet(text);
  if ('refusal' in parsed) throw new Error(parsed.refusal);
  return parsed;
}

test('addresses are read as they are written', () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), (number) => addressNumber(addressText(number)) === number));
  for (const text of ['1.2.3', '1.2.3.256', 'a.b.c.d', '']) expect(addressNumber(text)).toBeUndefined();
});

describe('a network', () => {
  test.each([
    ['10.0.0.0/16', 'overlaps 10.0.2.0/24, on which every VM reaches the world'],
    ['10.77.0.0/8', 'must have a prefix between /16 and /28'],
    ['10.77.0.1/24', 'does not begin with its first address'],
    ['8.8.8.0/24', 'is no private network'],
    ['10.77.0.999/24', 'is no IPv4 network'],
  ])('%s is refused: %s', (text, refusal) => {
    expect(parseSubnet(text)).toMatchObject({ refusal });
  });

  test('is a free one, the same for the same name', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(40_000), { maxLength: 20 }), (start, others) => {
        const taken = others.flatMap((other) => chooseSubnet(other, []) ?? []);
        const chosen = chooseSubnet(start, taken);
        expect(chosen).toEqual(chooseSubnet(start, taken));
        expect(chosen === undefined || taken.some((other) => overlap(chosen, other))).toBe(false);
        expect(parseSubnet(chosen === undefined ? '' : subnetText(chosen))).toEqual(chosen);
      }),
    );
  });
});

describe('addresses of members', () => {
  test('begin at 11, and those that are known stay', () => {
    const known = new Map([['b', '10.77.0.11']]);
    expect(assignAddresses(subnet('10.77.0.0/24'), ['a', 'b', 'c'], known)).toEqual(
      new Map([
        ['b', '10.77.0.11'],
        ['a', '10.77.0.12'],
        ['c', '10.77.0.13'],
      ]),
    );
  });

  test('each has one in the network and no two the same, whatever is known; there are none where the network is too small', () => {
    const networks = fc.constantFrom('10.77.0.0/24', '192.168.5.0/28', '172.16.0.0/26', '10.78.0.0/27').map(subnet);
    const members = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 40 });
    const known = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.nat(2 ** 32 - 1).map(addressText)));
    fc.assert(
      fc.property(networks, members, known, (network, names, pairs) => {
        const addresses = assignAddresses(network, names, new Map(pairs));
        expect(addresses !== undefined).toBe(names.length <= capacity(network));
        if (addresses === undefined) return;
        expect([...addresses.keys()].toSorted()).toEqual(names.toSorted());
        expect(new Set(addresses.values()).size).toBe(names.length);
        for (const address of addresses.values()) expect(overlap(network, { base: addressNumber(address) ?? 0, prefix: 32 })).toBe(true);
        expect(assignAddresses(network, names, addresses)).toEqual(addresses);
      }),
    );
  });
});
