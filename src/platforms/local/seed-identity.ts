import { wholeName, type SeedContent } from './seed.ts';
import { parseObject, vendorOf, vendorText } from './vendor-data.ts';

/** Another identity for a seed that is there. */
export interface NewIdentity {
  readonly hostname: string;
  /** Another instance: cloud-init sets everything up anew, and systemd gets another machine-id. Without it, only the name changes. */
  readonly instanceId?: string;
  /** It leaves the network of a lab: neither the card there nor the names there are its own. */
  readonly ownNetwork?: true;
}

/**
 * Gives a copied root a machine-id of its own, once: cloud-init does so for host keys, hostname and network, but not for this. The journal goes on
 * under the new one. A system without systemd has none.
 */
const NEW_MACHINE_ID = [
  'command -v systemd-machine-id-setup >/dev/null || exit 0',
  'rm -f /var/lib/dbus/machine-id',
  ': >/etc/machine-id',
  'systemd-machine-id-setup',
  'ln -sf /etc/machine-id /var/lib/dbus/machine-id 2>/dev/null || :',
  'systemctl restart --no-block systemd-journald.service || :',
].join('\n');

/** The same seed with another identity: all that is the user's stays. Throws `seed-foreign` where ingot did not write it. Pure. */
export function withIdentity(content: SeedContent, identity: NewIdentity): SeedContent {
  const { hostname, instanceId, ownNetwork } = identity;
  const { networkConfig, ...rest } = content;
  const { own, parts } = vendorOf(content.vendorData);
  const { prefer_fqdn_over_hostname: _prefer, fqdn: _fqdn, ...config } = own;
  const { write_files: _hosts, ...alone } = config;
  const bootcmd = instanceId === undefined ? {} : { bootcmd: [['cloud-init-per', 'instance', 'ingot-machine-id', 'sh', '-c', NEW_MACHINE_ID]] };
  const metaData = { ...parseObject(content.metaData), 'local-hostname': hostname, ...(instanceId === undefined ? {} : { 'instance-id': instanceId }) };
  return {
    ...rest,
    ...(networkConfig === undefined || ownNetwork === true ? {} : { networkConfig }),
    metaData: `${JSON.stringify(metaData, undefined, 2)}\n`,
    vendorData: vendorText({ ...(ownNetwork === true ? { ...alone, manage_etc_hosts: 'localhost' } : config), ...wholeName(hostname), ...bootcmd }, parts),
  };
}
