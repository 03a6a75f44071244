import { Agent, Pool, ProxyAgent, type Dispatcher } from 'undici';
import { proxyAuthorization, proxyFor } from './proxy.ts';

/** fetch by the proxies of the environment, each server by its own. A caller that brings a dispatcher decides itself. */
export function proxyFetch(env: Readonly<Record<string, string | undefined>>): typeof globalThis.fetch {
  const dispatcher = new Agent({ factory: (origin, options): Dispatcher => dispatcherFor(env, new URL(origin), options) });
  return (input, init) => globalThis.fetch(input, init !== undefined && 'dispatcher' in init ? init : Object.assign({ ...init }, { dispatcher }));
}

function dispatcherFor(env: Readonly<Record<string, string | undefined>>, origin: URL, options: object): Dispatcher {
  const proxy = proxyFor(env, origin);
  if (proxy === undefined) return new Pool(origin, options);
  const token = proxyAuthorization(proxy);
  // What is not encrypted is asked of the proxy itself: not every proxy makes tunnels to port 80.
  const proxyTunnel = origin.protocol === 'https:';
  return new ProxyAgent({ uri: proxy.origin, proxyTunnel, ...(token === undefined ? {} : { token }) });
}
