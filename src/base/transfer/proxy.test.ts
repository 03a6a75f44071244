import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as z from 'zod';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { selfSigned, type SelfSigned } from '../../../tests/simulators/proxmox/self-signed.ts';
import { faultServer } from '../../../tests/support/fault-server.ts';
import { proxyServer } from '../../../tests/support/proxy-server.ts';
import { openHome } from '../home.ts';
import { realHost } from '../host.ts';
import { hostPath } from '../types.ts';
import { proxyFor } from './proxy.ts';

const PROGRAM = new URL('../../../tests/support/fetch-both.ts', import.meta.url).pathname;
const BYTES = randomBytes(300_000);
const HEX = createHash('sha256').update(BYTES).digest('hex');
const host = realHost();
let root: string;
let signed: SelfSigned;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-proxy-'));
  await openHome(host, hostPath(root));
  signed = selfSigned('server of a test');
  await writeFile(join(root, 'ca.pem'), signed.certificate);
});
afterEach(() => rm(root, { recursive: true }));

/** What a process of its own, with this environment, says of both ways of fetching. */
async function both(url: string, env: Readonly<Record<string, string>>): Promise<{ readonly small: string; readonly large: string }> {
  const { stdout } = await host.processes.run([process.execPath, PROGRAM, root, url, HEX], { env: { HOME: root, ...env }, timeout: 300 });
  return z.object({ small: z.string(), large: z.string() }).parse(JSON.parse(stdout));
}

const WHOLE = { small: HEX, large: HEX };
const secure = (): Promise<Awaited<ReturnType<typeof faultServer>>> => faultServer({ key: signed.key, cert: signed.certificate });
const trust = (): { readonly NODE_EXTRA_CA_CERTS: string } => ({ NODE_EXTRA_CA_CERTS: join(root, 'ca.pem') });

describe('TLS', () => {
  test('a server whose certificate authority the environment names is trusted, by small and large files', async () => {
    await using server = await secure();
    server.files.set('/a', { bytes: BYTES });
    expect(await both(`${server.url}/a`, trust())).toEqual(WHOLE);
    expect(server.requests.filter(({ headers }) => headers['range'] !== undefined).length).toBeGreaterThan(1);
  });

  test('one that nobody vouches for is refused, and what to do is said', async () => {
    await using server = await secure();
    server.files.set('/a', { bytes: BYTES });
    const { small, large } = await both(`${server.url}/a`, {});
    expect(small).toContain('self-signed certificate');
    expect(large).toMatch(/^download-failed: The certificate of 127\.0\.0\.1:\d+ is not trusted/);
    expect(server.requests).toEqual([]);
  });

  test('a cut connection goes on where it was', async () => {
    await using server = await secure();
    server.files.set('/a', { bytes: BYTES, cuts: [300_000, 1000, 20_000, 3] });
    expect(await both(`${server.url}/a`, trust())).toEqual(WHOLE);
  });

  test('nothing is asked for without TLS after a redirect', async () => {
    await using plain = await faultServer();
    await using server = await secure();
    plain.files.set('/a', { bytes: BYTES });
    server.files.set('/a', { bytes: BYTES, redirect: `${plain.url}/a` });
    const { small, large } = await both(`${server.url}/a`, trust());
    for (const said of [small, large]) expect(said).toMatch(/^redirect-insecure: /);
    expect(plain.requests).toEqual([]);
  });
});

describe('a proxy of the environment', () => {
  test('makes tunnels to servers behind TLS', async () => {
    await using server = await secure();
    await using proxy = await proxyServer();
    server.files.set('/a', { bytes: BYTES });
    expect(await both(`${server.url}/a`, { ...trust(), https_proxy: proxy.url.replace('//', '//me:p%40ss@') })).toEqual(WHOLE);
    const [first, ...others] = proxy.asked;
    expect(first).toEqual({ what: `CONNECT ${new URL(server.url).host}`, authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` });
    expect(others.length).toBeGreaterThan(0);
    for (const each of others) expect(each).toEqual(first);
    expect(server.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
  });

  test('is asked itself for what is not encrypted', async () => {
    await using server = await faultServer();
    await using proxy = await proxyServer();
    server.files.set('/a', { bytes: BYTES });
    expect(await both(`${server.url}/a`, { http_proxy: new URL(proxy.url).host })).toEqual(WHOLE);
    expect(new Set(proxy.asked.map(({ what }) => what))).toEqual(new Set([`GET ${server.url}/a`]));
  });

  test('that refuses is named, with what it said and without its password', async () => {
    await using server = await secure();
    await using proxy = await proxyServer(407);
    server.files.set('/a', { bytes: BYTES });
    const { small, large } = await both(`${server.url}/a`, { ...trust(), HTTPS_PROXY: proxy.url.replace('//', '//me:hunter2@') });
    expect(large).toMatch(/^proxy-refused: The proxy http:\/\/\*\*\*@127.*: it answered 407$/);
    expect(small).toContain('407');
    expect(`${small}${large}`).not.toContain('hunter2');
    expect(server.requests).toEqual([]);
  });

  test('that is away is named', async () => {
    await using server = await secure();
    const away = await proxyServer();
    await away[Symbol.asyncDispose]();
    const { small, large } = await both(`${server.url}/a`, { ...trust(), all_proxy: away.url });
    expect(large).toContain(`the proxy ${away.url}`);
    expect(large).toMatch(/^download-failed: .*ECONNREFUSED/);
    expect(small).toMatch(/^download-failed: .*ECONNREFUSED/);
  });

  test('is passed over for what no_proxy names', async () => {
    await using server = await secure();
    await using proxy = await proxyServer(403);
    server.files.set('/a', { bytes: BYTES });
    expect(await both(`${server.url}/a`, { ...trust(), https_proxy: proxy.url, no_proxy: 'example.org, 127.0.0.0/8' })).toEqual(WHOLE);
    expect(proxy.asked).toEqual([]);
  });
});

describe('no_proxy', () => {
  const direct = (list: string, url: string): boolean => proxyFor({ all_proxy: 'http://proxy.example:3128', no_proxy: list }, new URL(url)) === undefined;

  test.each([
    ['*', 'https://a.example/', true],
    ['example.org', 'https://example.org/', true],
    ['example.org', 'https://www.example.org/', true],
    ['.example.org', 'https://www.example.org/', true],
    ['*.example.org', 'https://www.example.org/', true],
    ['EXAMPLE.org', 'https://Example.org/', true],
    ['example.org', 'https://notexample.org/', false],
    ['example.org:8443', 'https://example.org/', false],
    ['example.org:443', 'https://example.org/', true],
    ['a.example b.example', 'http://b.example/', true],
    ['192.0.2.0/24', 'http://192.0.2.9/', true],
    ['192.0.2.0/24', 'http://192.0.3.9/', false],
    ['192.0.2.0/nonsense,192.0.2.0/99', 'http://192.0.2.9/', false],
    ['2.9', 'http://192.0.2.9/', false],
    ['::1', 'http://[::1]:8080/', true],
    ['[::1]:8080', 'http://[::1]:8080/', true],
    ['[::1]:80', 'http://[::1]:8080/', false],
    ['2001:db8::/32', 'http://[2001:db8::9]/', true],
    ['', 'http://a.example/', false],
  ])('%s and %s', (list, url, expected) => {
    expect(direct(list, url)).toBe(expected);
  });

  test('any text is read without a crash', () => {
    fc.assert(fc.property(fc.string(), fc.webUrl(), (list, url) => void direct(list, url)));
  });

  test('lower case goes before upper case, an address without http:// is one, and what speaks no HTTP is refused', () => {
    const to = new URL('https://a.example/');
    expect(proxyFor({ https_proxy: 'one:1', HTTPS_PROXY: 'http://two:2' }, to)?.href).toBe('http://one:1/');
    expect(proxyFor({ http_proxy: 'http://one:1' }, to)).toBeUndefined();
    expect(proxyFor({ https_proxy: ' ' }, to)).toBeUndefined();
    expect(() => proxyFor({ https_proxy: 'socks5://me:hunter2@one:1' }, to)).toThrow(
      expect.objectContaining({ code: 'proxy-invalid', message: expect.not.stringContaining('hunter2') }),
    );
  });
});
