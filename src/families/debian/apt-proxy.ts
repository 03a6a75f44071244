import { rootFile } from '../changes.ts';
import type { OwnProxy } from '../common/proxy.ts';

/** apt has an exception for each host, and knows no domains or networks. */
export const aptProxy: OwnProxy = ({ http, https }, exceptions) => {
  const hosts = exceptions.filter((name) => /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(name));
  const lines = Object.entries({ http, https })
    .flatMap(([scheme, value]) =>
      value === undefined ? [] : [`Acquire::${scheme}::Proxy "${value}";\n`, ...hosts.map((name) => `Acquire::${scheme}::Proxy::${name} "DIRECT";\n`)],
    )
    .join('');
  return [rootFile('/etc/apt/apt.conf.d/60ingot-proxy', lines)];
};
