import type { ResolvedSystem } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from './shell.ts';
import { invalid } from './words.ts';

type Proxy = NonNullable<ResolvedSystem['proxy']>;

export interface ProxyAddresses {
  readonly http: string | undefined;
  readonly https: string | undefined;
}

/** What is told of proxies besides: to a package manager that does not read the environment, to an init that is not systemd. */
export type OwnProxy = (addresses: ProxyAddresses, exceptions: readonly string[], variables: readonly (readonly [string, string])[]) => readonly RootFile[];

/** Other lines of /etc/environment stay, and so does nothing that an earlier layer said of proxies. */
const ENVIRONMENT = String.raw`
touch /etc/environment
grep -viE '^(export +)?(http|https|no)_proxy=' /etc/environment >/tmp/environment || true
printf '%s' "$1" >>/tmp/environment
cat /tmp/environment >/etc/environment
`;

/**
 * Proxies for all that runs in the image: logins (/etc/environment, which PAM reads for each kind of shell, cron and ssh), services (systemd),
 * commands under sudo, and what the package manager reads. Throws `system-invalid`.
 */
export function proxyChanges(proxy: Proxy, own: OwnProxy, { systemd = true }: { readonly systemd?: boolean } = {}): Changes {
  const exceptions = proxy['no-proxy'];
  for (const host of exceptions) {
    if (!/^[A-Za-z0-9.*:/[\]_-]+$/.test(host)) throw invalid(`${JSON.stringify(host)} in no-proxy is no host, domain or network`);
  }
  const addresses = { http: address(proxy.http), https: address(proxy.https) };
  const variables = Object.entries({
    http_proxy: addresses.http,
    https_proxy: addresses.https,
    no_proxy: exceptions.length === 0 ? undefined : exceptions.join(','),
  })
    .flatMap(([name, value]): [string, string][] =>
      value === undefined
        ? []
        : [
            [name, value],
            [name.toUpperCase(), value],
          ],
    )
    .toSorted();
  if (variables.length === 0) return NOTHING;
  const names = variables.map(([name]) => name);
  return {
    packages: [],
    files: [
      ...own(addresses, exceptions, variables),
      // In unit files a percent sign starts a specifier.
      ...(systemd
        ? [
            rootFile(
              '/etc/systemd/system.conf.d/50-ingot-proxy.conf',
              `[Manager]\n${variables.map(([name, value]) => `DefaultEnvironment="${name}=${value.replaceAll('%', '%%')}"\n`).join('')}`,
            ),
          ]
        : []),
      rootFile('/etc/sudoers.d/80-ingot-proxy', `Defaults env_keep += "${names.join(' ')}"\n`, '0440'),
    ],
    commands: [shell('proxies', ENVIRONMENT, variables.map(([name, value]) => `${name}=${value}\n`).join(''))],
    kernelArguments: [],
  };
}

/** An address as URL writes it has no space, quote or backslash; what else files could misread is refused. */
function address(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = new URL(text);
  if (!['http:', 'https:', 'socks5:', 'socks5h:'].includes(url.protocol)) throw invalid(`The proxy ${url.protocol}//… is of a kind that programs do not know`);
  if (/["'\\$`\s#]/.test(url.href)) throw invalid(`The address of the proxy ${url.host} holds a character that has to be written as %xx`);
  return url.pathname === '/' && url.search === '' ? url.href.replace(/\/$/, '') : url.href;
}
