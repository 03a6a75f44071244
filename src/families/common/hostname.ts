import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { invalid } from './words.ts';

/** A fixed name is told to cloud-init too, which would take the platform's for /etc/hosts. */
export function hostnameChanges({ hostname: wanted = 'platform' }: ResolvedSystem): Changes {
  const path = '/etc/cloud/cloud.cfg.d/90-ingot-hostname.cfg';
  if (wanted === 'platform') return NOTHING;
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(wanted)) {
    throw invalid(`The host name ${JSON.stringify(wanted)} is none: names are letters, digits and dashes, with dots between them`);
  }
  const short = wanted.split('.')[0] ?? wanted;
  const names = short === wanted ? short : `${wanted} ${short}`;
  const config = { preserve_hostname: true, hostname: short, fqdn: wanted };
  return {
    ...NOTHING,
    files: [
      rootFile('/etc/hostname', `${wanted}\n`),
      rootFile(
        '/etc/hosts',
        `127.0.0.1 localhost\n127.0.1.1 ${names}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n`,
      ),
      rootFile(path, `${JSON.stringify(config)}\n`),
    ],
  };
}
