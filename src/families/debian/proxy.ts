import { IngotError } from '../../base/errors.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import type { Changes } from '../changes.ts';
import { shell } from './shell.ts';

type Proxy = NonNullable<ResolvedSystem['proxy']>;

const file = (path: string, content: string, mode = '0644'): RootFile => ({ path, content, mode });

/** Other lines of /etc/environment stay, and so does nothing that an earlier layer said of proxies. */
const ENVIRONMENT = String.raw`
touch /etc/environment
grep -viE '^(export +)?(http|https|no)_proxy=' /etc/environment >/tmp/environment || true
printf '%s' "$1" >>/tmp/environment
cat /tmp/environment >/etc/environment
`;

/**
 * Proxies for all that runs in the image: logins (/etc/environment, which PAM reads for each kind of shell, cron and ssh), services (systemd),
 * commands under sudo, and apt, which reads a file of its own. Throws `system-invalid`.
 */
export function proxyChanges(proxy: Proxy): Changes {
  const exceptions = proxy['no-proxy'];
  for (const host of exceptions) {
    if (!/^[A-Za-z0-9.*:/[\]_-]+$/.test(host)) throw fault(`${JSON.stringify(host)} in no-proxy is no host, domain or network`);
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
  if (variables.length === 0) return { packages: [], files: [], commands: [], kernelArguments: [] };
  const names = variables.map(([name]) => name);
  return {
    packages: [],
    files: [
      file('/etc/apt/apt.conf.d/60ingot-proxy', aptProxy(addresses, exceptions)),
      // In unit files a percent sign starts a specifier.
      file(
        '/etc/systemd/system.conf.d/50-ingot-proxy.conf',
        `[Manager]\n${variables.map(([name, value]) => `DefaultEnvironment="${name}=${value.replaceAll('%', '%%')}"\n`).join('')}`,
      ),
      file('/etc/sudoers.d/80-ingot-proxy', `Defaults env_keep += "${names.join(' ')}"\n`, '0440'),
    ],
    commands: [shell('proxies', ENVIRONMENT, variables.map(([name, value]) => `${name}=${value}\n`).join(''))],
    kernelArguments: [],
  };
}

/** An address as URL writes it has no space, quote or backslash; what else files could misread is refused. */
function address(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = new URL(text);
  if (!['http:', 'https:', 'socks5:', 'socks5h:'].includes(url.protocol)) throw fault(`The proxy ${url.protocol}//… is of a kind that programs do not know`);
  if (/["'\\$`\s#]/.test(url.href)) throw fault(`The address of the proxy ${url.host} holds a character that has to be written as %xx`);
  return url.pathname === '/' && url.search === '' ? url.href.replace(/\/$/, '') : url.href;
}

/** apt has an exception for each host, and knows no domains or networks. */
function aptProxy({ http, https }: { http: string | undefined; https: string | undefined }, exceptions: readonly string[]): string {
  const hosts = exceptions.filter((name) => /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(name));
  return Object.entries({ http, https })
    .flatMap(([scheme, value]) =>
      value === undefined ? [] : [`Acquire::${scheme}::Proxy "${value}";\n`, ...hosts.map((name) => `Acquire::${scheme}::Proxy::${name} "DIRECT";\n`)],
    )
    .join('');
}

function fault(what: string): IngotError {
  return new IngotError('usage', 'system-invalid', what);
}
