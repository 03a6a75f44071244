import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findForward } from './forward-change.ts';
import { checkForwards, formatForward, parseForward, type WantedForward } from './forwards.ts';

describe('a port forward', () => {
  test.each<[string, WantedForward]>([
    ['8080:80', { protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80 }],
    ['80', { protocol: 'tcp', address: '127.0.0.1', guest: 80 }],
    ['udp:5300:53', { protocol: 'udp', address: '127.0.0.1', host: 5300, guest: 53 }],
    ['tcp:53', { protocol: 'tcp', address: '127.0.0.1', guest: 53 }],
    ['0.0.0.0:8080:80', { protocol: 'tcp', address: '0.0.0.0', host: 8080, guest: 80 }],
    ['udp:192.0.2.1:53', { protocol: 'udp', address: '192.0.2.1', guest: 53 }],
  ])('%s', (text, forward) => {
    expect(parseForward(text)).toEqual(forward);
  });

  test.each(['', ':', '0', '65536', '80:', ':80', 'a:80', '8080:http', '1:2:3', 'sctp:1:2', '::1:80:80', '127.0.0.1', '-1', '80 ', '8080:80:'])(
    '%j is none',
    (text) => {
      expect(() => parseForward(text)).toThrow(expect.objectContaining({ code: 'forward-invalid' }));
    },
  );

  const port = fc.integer({ min: 1, max: 65_535 });
  const forwards: fc.Arbitrary<WantedForward> = fc.record(
    { protocol: fc.constantFrom('tcp', 'udp'), address: fc.ipV4(), host: port, guest: port },
    { requiredKeys: ['protocol', 'address', 'guest'] },
  );
  test('is read back as it is written', () => {
    fc.assert(
      fc.property(forwards, (forward) => {
        expect(parseForward(formatForward(forward))).toEqual(forward);
      }),
    );
  });

  test('any text is a forward or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d:.udtcp]*$/)), (text) => {
        try {
          expect(parseForward(text).guest).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'forward-invalid' });
        }
      }),
    );
  });
});

test('a port of the host is asked for once, whatever its address; UDP and TCP have their own', () => {
  const wanted = (...texts: string[]): WantedForward[] => texts.map(parseForward);
  expect(() => checkForwards(wanted('8080:80', '0.0.0.0:8080:81'))).toThrow(expect.objectContaining({ code: 'forward-twice' }));
  expect(() => checkForwards(wanted('2222:80'), 2222)).toThrow(expect.objectContaining({ code: 'forward-twice' }));
  checkForwards(wanted('8080:80', 'udp:8080:80', '80', '80'), 2222);
});

describe('the forward that is meant', () => {
  const vm = {
    name: 'web',
    forwards: [
      { protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80 },
      { protocol: 'tcp', address: '127.0.0.1', host: 8081, guest: 80 },
      { protocol: 'udp', address: '127.0.0.1', host: 5300, guest: 53 },
    ] as const,
  };
  const find = (text: string) => findForward({ ...vm, forwards: [...vm.forwards] }, parseForward(text));
  test('is told by either port, or both', () => {
    expect(find('8080')).toBe(vm.forwards[0]);
    expect(find('8081:80')).toBe(vm.forwards[1]);
    expect(find('udp:53')).toBe(vm.forwards[2]);
  });
  test('must be one, and be there', () => {
    expect(() => find('80')).toThrow(expect.objectContaining({ code: 'forward-ambiguous' }));
    expect(() => find('5300')).toThrow(expect.objectContaining({ code: 'forward-unknown', hint: expect.stringContaining('udp:5300:53') }));
  });
});
