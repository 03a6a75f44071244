import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, type Changes } from '../changes.ts';
import { certificateChanges, type TrustStore } from '../common/certificates.ts';
import { chronyChanges } from '../common/chrony.ts';
import { openPorts } from '../common/firewalld.ts';
import { hostnameChanges } from '../common/hostname.ts';
import { sysctlChanges } from '../common/kernel.ts';
import { systemdLocalization, type LocalizationPackages } from '../common/localization.ts';
import { proxyChanges } from '../common/proxy.ts';
import { selinuxChanges } from '../common/selinux.ts';
import { sshdWithSelinux } from '../common/sshd.ts';
import { automaticUpdates } from './update.ts';

const TRUST: TrustStore = {
  packages: ['ca-certificates'],
  folder: '/etc/pki/ca-trust/source/anchors',
  ending: '.pem',
  update: { label: 'CA certificates', argv: ['update-ca-trust', 'extract'] },
};

const LOCALIZATION: LocalizationPackages = { timezone: 'tzdata', locale: (name) => `glibc-langpack-${name.split('_')[0] ?? name}`, keymap: 'kbd' };

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
    // dnf takes a proxy from the environment.
    system.proxy === undefined ? NOTHING : proxyChanges(system.proxy, () => []),
    openPorts('the template', system.firewall?.open ?? []),
    selinuxChanges(system.selinux, ['selinux-policy-targeted']),
    { ...NOTHING, kernelArguments: system['kernel-arguments'] },
  ]);
}
