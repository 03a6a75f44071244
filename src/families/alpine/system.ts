import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { certificateChanges, type TrustStore } from '../common/certificates.ts';
import { hostnameChanges } from '../common/hostname.ts';
import { sysctlChanges } from '../common/kernel.ts';
import { openPorts } from '../common/nftables.ts';
import { proxyChanges, type OwnProxy } from '../common/proxy.ts';
import { sshdWithMainFile } from '../common/sshd.ts';
import { refuseAutomaticUpdates } from '../common/updates.ts';
import { localizationChanges } from './localization.ts';
import { serviceChanges } from './services.ts';

const TRUST: TrustStore = {
  packages: ['ca-certificates'],
  folder: '/usr/local/share/ca-certificates',
  ending: '.crt',
  update: { label: 'CA certificates', argv: ['update-ca-certificates'] },
};

/** The system section of a template. Throws `system-invalid` and `certificate-invalid`. */
export function systemChanges(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  refuseAutomaticUpdates(system, 'Alpine');
  return joined([
    hostnameChanges(system),
    localizationChanges(system),
    sshdWithMainFile(system, release),
    sysctlChanges('', system.sysctl),
    ntp(system),
    certificateChanges(system.trustedCa, TRUST),
    system.proxy === undefined ? NOTHING : proxyChanges(system.proxy, profileProxy, { systemd: false }),
    openPorts('template', system.firewall?.open ?? []),
    { ...NOTHING, kernelArguments: system['kernel-arguments'] },
  ]);
}

/** chrony in place of busybox's ntpd; the distribution's own configuration names a pool of servers, and is replaced. */
function ntp({ ntp: servers }: ResolvedSystem): Changes {
  if (servers.length === 0) return NOTHING;
  const lines = [...servers.map((server) => `server ${server} iburst`), 'driftfile /var/lib/chrony/chrony.drift', 'makestep 1 3', 'rtcsync', 'cmdport 0', ''];
  return joined([{ ...NOTHING, packages: ['chrony'], files: [rootFile('/etc/chrony/chrony.conf', lines.join('\n'))] }, serviceChanges('chronyd', 'enabled')]);
}

/** Without PAM nothing reads /etc/environment: logins read their profile, services what OpenRC reads. apk takes it from the environment. */
const profileProxy: OwnProxy = (_addresses, _exceptions, variables) => {
  const exports = variables.map(([name, value]) => `export ${name}='${value}'\n`).join('');
  return [rootFile('/etc/profile.d/90-ingot-proxy.sh', exports), rootFile('/etc/rc.conf.d/90-ingot-proxy.conf', exports)];
};
