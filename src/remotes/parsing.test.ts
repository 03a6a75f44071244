import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { formatRemoteAddress, isLoopback, parseRemoteAddress } from './address.ts';
import { secretOfServer } from './credentials.ts';
import { retryAfter } from './http.ts';
import { siblingRepositories } from './push.ts';
import { parseChallenges } from './registry-auth.ts';
import { fingerprintOf } from './tls.ts';
import { parseDigest } from '../base/types.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test.each([
  ['oci://registry.example/web', { kind: 'oci', server: 'registry.example', repository: 'web' }],
  ['oci://localhost:5000/a/b-c:1.4', { kind: 'oci', server: 'localhost:5000', repository: 'a/b-c', tag: '1.4' }],
  [`oci://[::1]:5000/web@${DIGEST}`, { kind: 'oci', server: '[::1]:5000', repository: 'web', digest: DIGEST }],
  ['s3://images/golden/web:x', { kind: 's3', bucket: 'images', prefix: 'golden', repository: 'web', tag: 'x' }],
  ['s3://images/web', { kind: 's3', bucket: 'images', prefix: '', repository: 'web' }],
])('%s is an address, and is written as it was', (text, address) => {
  expect(parseRemoteAddress(text)).toEqual(address);
  expect(formatRemoteAddress(parseRemoteAddress(text))).toBe(text);
});

test.each([
  'registry.example/web',
  'http://registry.example/web',
  'oci://registry.example',
  'oci://user:pw@registry.example/web',
  'oci://r/../web',
  'oci://r/Web',
  's3://b/web',
  's3://images/../web',
  'oci://r/web@sha256:12',
])('%s is none', (text) => expect(() => parseRemoteAddress(text)).toThrowError(expect.objectContaining({ code: 'remote-address-invalid' })));

test('an address is understood or refused, and what is understood is written so that it is understood again', () => {
  const part = fc.string({ unit: fc.constantFrom(...'ab1._-:/@[]%') });
  fc.assert(
    fc.property(fc.constantFrom('oci://', 's3://'), part, (scheme, rest) => {
      try {
        const address = parseRemoteAddress(`${scheme}${rest}`);
        expect(parseRemoteAddress(formatRemoteAddress(address))).toEqual(address);
      } catch (error) {
        expect(error).toBeInstanceOf(IngotError);
      }
    }),
  );
});

test('only this machine is loopback', () => {
  expect(['localhost', 'localhost:5000', '127.0.0.1:1', '[::1]:5000'].map(isLoopback)).toEqual([true, true, true, true]);
  expect(['localhost.example', '127.0.0.1.example', '128.0.0.1', 'registry:5000'].map(isLoopback)).toEqual([false, false, false, false]);
});

test('challenges of servers', () => {
  expect(parseChallenges('Bearer realm="https://auth.example/token?a=1,2",service="r \\"x\\"",scope=pull, Basic realm="y"')).toEqual([
    { scheme: 'bearer', parameters: { realm: 'https://auth.example/token?a=1,2', service: 'r "x"', scope: 'pull' } },
    { scheme: 'basic', parameters: { realm: 'y' } },
  ]);
  fc.assert(fc.property(fc.string(), (text) => parseChallenges(text).every(({ scheme }) => scheme !== '')));
});

test('how long to wait', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const wait = (text?: string) => retryAfter({ headers: new Headers(text === undefined ? {} : { 'retry-after': text }) }, now);
  expect([wait(), wait('7'), wait('Thu, 01 Jan 2026 00:00:30 GMT'), wait('Wed, 31 Dec 2025 00:00:00 GMT'), wait('99999'), wait('soon')]).toEqual([
    undefined,
    7,
    30,
    0,
    120,
    undefined,
  ]);
});

test('names of secrets and fingerprints of servers', () => {
  expect(secretOfServer('registry.example:5000')).toBe('registry-registry-example-5000');
  const setting = `a.example=sha256:${'0'.repeat(64)}, b.example:5000=sha256:${'1'.repeat(64)}`;
  expect([fingerprintOf(setting, 'b.example:5000'), fingerprintOf(setting, 'b.example'), fingerprintOf(undefined, 'a')]).toEqual([
    '1'.repeat(64),
    undefined,
    undefined,
  ]);
});

test('a sibling is looked for beside the repository', () => {
  const digest = parseDigest(DIGEST);
  expect(siblingRepositories('team/web', new Map([[digest, ['web', 'base']]]))).toEqual(new Map([[digest, 'team/base']]));
  expect(siblingRepositories('web', new Map([[digest, ['web']]]))).toEqual(new Map());
});
