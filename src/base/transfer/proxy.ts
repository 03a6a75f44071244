import { BlockList, isIP } from 'node:net';
import { IngotError } from '../errors.ts';
import { shownValue } from '../settings.ts';

/* The proxies of the environment, as curl and its like read them: http_proxy, https_proxy, all_proxy and no_proxy, in lower case before upper case. */

type Environment = Readonly<Record<string, string | undefined>>;

const NAMES = ['http_proxy', 'https_proxy', 'all_proxy'];

function valueOf(env: Environment, name: string): string | undefined {
  const text = env[name] ?? env[name.toUpperCase()];
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

/** The variables about proxies, for a program that reads them itself. */
export function proxyEnvironment(env: Environment): Record<string, string> {
  return Object.fromEntries(
    [...NAMES, 'no_proxy'].flatMap((name) => {
      const value = valueOf(env, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Whether the environment names any proxy. */
export function hasProxy(env: Environment): boolean {
  return NAMES.some((name) => valueOf(env, name) !== undefined);
}

/** The proxy for an address; undefined where it is spoken to directly. Throws `proxy-invalid` for one that speaks no HTTP. */
export function proxyFor(env: Environment, to: URL): URL | undefined {
  const name = to.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const text = valueOf(env, name) ?? valueOf(env, 'all_proxy');
  if (text === undefined || isExcepted(valueOf(env, 'no_proxy') ?? '', to)) return undefined;
  const written = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(written) ? new URL(written) : undefined;
  if (proxy !== undefined && ['http:', 'https:'].includes(proxy.protocol) && proxy.hostname !== '') return proxy;
  throw new IngotError('usage', 'proxy-invalid', `The proxy ${shownValue(text)} of the variable ${name} is no address of http or https`, {
    hint: 'Write it as http://proxy.example:3128, or unset it.',
  });
}

/** Whether no_proxy names a host: by its name, a domain that it is in, an address or a range of them, each with a port if need be; `*` is every host. */
function isExcepted(list: string, { hostname, port, protocol }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const number = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .some((each) => {
      if (each === '*') return true;
      if (each.includes('/')) return isInRange(host, each);
      const [, name = each, only] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(isIP(each) === 6 ? '' : each) ?? [];
      if (only !== undefined && only !== number) return false;
      const domain = name.replace(/^\*?\./, '').replace(/^\[|\]$/g, '');
      return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
    });
}

function isInRange(host: string, range: string): boolean {
  const [address = '', bits = ''] = range.split('/');
  const [family, of] = [isIP(host), isIP(address)];
  const prefix = Number(bits);
  if (family === 0 || family !== of || !/^\d+$/.test(bits) || prefix > (of === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  const kind = of === 6 ? 'ipv6' : 'ipv4';
  list.addSubnet(address, prefix, kind);
  return list.check(host, kind);
}

/** The value of Proxy-Authorization for the user and password in a proxy's address. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}
