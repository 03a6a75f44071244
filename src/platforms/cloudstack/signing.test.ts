import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectedSignature, javaEncode, signatureFault } from '../../../tests/simulators/cloudstack/signature.ts';
import { encodeValue, expiresAt, signatureOf, signedQuery, stringToSign } from './signing.ts';

/** Published by the project itself and by others; they know no special characters. */
const PUBLISHED = [
  {
    parameters: { apikey: 'plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg', command: 'listUsers', response: 'json' },
    secretKey: 'VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj87ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ',
    signature: 'TTpdDq/7j/J58XCRHomKoQXEQds=',
  },
  {
    parameters: { apikey: 'i-mcqzbmwigid0sohwvjk60pwxwmfc1wsenvzy1zpuou1ay-c66elwlnabeb5ylpf1f_uu_1peytzobumnll8g', command: 'listZones', response: 'json' },
    secretKey: 'bezaSxCEjrWxutJzRdJTStGl4nEWVUDx4YX9Q8DJo6kBiUXWfdq7P8z46zaWbQBeVMTu0YiP9tVbsjbG4QFV3g',
    signature: 'RNlqbyJYiXMGYXI5g7+0zB6Y+5w=',
  },
];

test.each(PUBLISHED)('the published request $parameters.command has the published signature', ({ parameters, secretKey, signature }) => {
  expect(signatureOf(parameters, secretKey)).toBe(signature);
  expect(expectedSignature(new Map(Object.entries(parameters)), secretKey)).toBe(signature);
});

describe('golden vectors of what is special', () => {
  test.each([
    ['*', '*'],
    ['~', '%7E'],
    ['!', '%21'],
    ["'", '%27'],
    ['(x)', '%28x%29'],
    ['[0]', '%5B0%5D'],
    ['a b', 'a%20b'],
    ['a+b', 'a%2Bb'],
    ['Müller', 'M%C3%BCller'],
    ['日本', '%E6%97%A5%E6%9C%AC'],
    ['😀', '%F0%9F%98%80'],
    ['\uD800x', '%3Fx'],
    ['-_.', '-_.'],
    ['{SHA-256}ab/+=', '%7BSHA-256%7Dab%2F%2B%3D'],
  ])('the value %s', (value, encoded) => {
    expect(encodeValue(value)).toBe(encoded);
    expect(javaEncode(value)).toBe(encoded);
  });

  test.each([
    [{ name: "it's (a) *test*!~" }, 'name=it%27s%20%28a%29%20*test*%21%7e', 'rwYnBjtvoUYplDFBcq8qEFCa5cM='],
    [
      { 'details[0].rootDiskController': 'virtio', 'details[0].nicAdapter': 'virtio' },
      'details[0].nicadapter=virtio&details[0].rootdiskcontroller=virtio',
      'rlysXkOoi+sgrytPQtEwt1p9sB0=',
    ],
    // Sorted as they are sent: an upper-case letter comes before every lower-case one.
    [{ b: '1', A: '2', a: '3', B: '4' }, 'a=2&b=4&a=3&b=1', '95C6OI+pyuduY7NMp6Crw/pFzP0='],
    [{ displaytext: 'Grüße + Ümläut' }, 'displaytext=gr%c3%bc%c3%9fe%20%2b%20%c3%9cml%c3%a4ut', 'T7sWy5OwKJ+WvjBRO5N9zqYQWA8='],
  ])('%j', (parameters: Record<string, string>, signed, signature) => {
    expect(stringToSign(parameters)).toBe(signed);
    // Computed once by a third implementation.
    expect(signatureOf(parameters, 'secret')).toBe(signature);
  });
});

const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('*', '~', '!', "'", '(', ')', '[', ']', ' ', '+', '%', '&', '=', 'İ', 'ß', 'A', 'z') }),
);
const name = fc.oneof(fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,12}$/), fc.stringMatching(/^[a-z]{1,6}\[\d\]\.[A-Za-z]{1,12}$/));

test('what is signed is what an implementation of its own expects, and what arrives is what was sent', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 8, noNullPrototype: true }), fc.stringMatching(/^[\x21-\x7e]{1,86}$/), (parameters, secretKey) => {
      const query = signedQuery(parameters, { apiKey: 'KEY', secretKey }, now);
      const arrived = new Map(new URLSearchParams(query));
      expect(signatureFault(arrived, secretKey, now)).toBeUndefined();
      for (const [key, sent] of Object.entries(parameters)) expect(arrived.get(key)).toBe(sent.isWellFormed() ? sent : sent.replaceAll(/\p{Surrogate}/gu, '?'));
      arrived.set('command', 'deleteTemplate');
      expect(signatureFault(arrived, secretKey, now)).toBe('the signature does not match');
    }),
    { numRuns: 500 },
  );
});

test('a signature holds for ten minutes of the clock that it is given', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  expect(expiresAt(now)).toBe('2026-01-02T03:04:05+0000');
  const arrived = new Map(new URLSearchParams(signedQuery({ command: 'listZones' }, { apiKey: 'a', secretKey: 'b' }, now)));
  const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
  expect(signatureFault(arrived, 'b', at(590))).toBeUndefined();
  expect(signatureFault(arrived, 'b', at(610))).toBe('the request has expired');
  expect(signatureFault(arrived, 'b', at(-400))).toBe('expires is more than 15 minutes ahead');
});
