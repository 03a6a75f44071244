import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { certificateChanges, type TrustStore } from '../common/certificates.ts';
import { chronyChanges } from '../common/chrony.ts';
import { openPorts } from '../common/firewalld.ts';
import { hostnameChanges } from '../common/hostname.ts';
import { sysctlChanges } from '../common/kernel.ts';
import { systemdLocalization, type LocalizationPackages } from '../common/localization.ts';
import { proxyChanges, type OwnProxy } from '../common/proxy.ts';
import { selinuxChanges } from '../common/selinux.ts';
import { sshdWithSelinux } from '../common/sshd.ts';
import { automaticUpdates } from './update.ts';

const TRUST: TrustStore = {
  packages: ['ca-certificates'],
  folder: '/etc/pki/trust/anchors',
  ending: '.pem',
  update: { label: 'CA certificates', argv: ['update-ca-certificates'] },
};

const LOCALIZATION: LocalizationPackages = { timezone: 'timezone', locale: () => 'glibc-locale', keymap: 'kbd' };

/** The file that YaST, logins and libzypp read. */
const sysconfigProxy: OwnProxy = ({ http, https }, exceptions) => {
  const lines = Object.entries({ PROXY_ENABLED: 'yes', HTTP_PROXY: http ?? '', HTTPS_PROXY: https ?? '', NO_PROXY: exceptions.join(',') });
  return [rootFile('/etc/sysconfig/proxy', lines.map(([name, value]) => `${name}="${value}"\n`).join(''))];
};

/** The system section of a template. Throws `system-invalid`, `certificate-invalid` and `port-invalid`. */
export function systemChanges(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  return joined([
    hostnameChanges(system),
    systemdLocalization(system, LOCALIZATION),
    sshdWithSelinux(system, release, 'policycoreutils-python-utils'),
    sysctlChanges('', system.sysctl),
    chronyChanges(system.ntp),
    automaticUpdates(system),
    certificateChanges(system.trustedCa, TRUST),
    system.proxy === undefined ? NOTHING : proxyChanges(system.proxy, sysconfigProxy),
    openPorts('the template', system.firewall?.open ?? []),
    selinuxChanges(system.selinux, ['selinux-policy-targeted']),
    { ...NOTHING, kernelArguments: system['kernel-arguments'] },
  ]);
}
