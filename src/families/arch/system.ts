import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { certificateChanges, type TrustStore } from '../common/certificates.ts';
import { hostnameChanges } from '../common/hostname.ts';
import { sysctlChanges } from '../common/kernel.ts';
import { openPorts } from '../common/nftables.ts';
import { proxyChanges } from '../common/proxy.ts';
import { sshdWithMainFile } from '../common/sshd.ts';
import { refuseAutomaticUpdates } from '../common/updates.ts';
import { localizationChanges } from './localization.ts';

/** update-ca-trust(8) hands them to p11-kit's `trust`. */
const TRUST: TrustStore = {
  packages: ['ca-certificates-utils'],
  folder: '/etc/ca-certificates/trust-source/anchors',
  ending: '.crt',
  update: { label: 'CA certificates', argv: ['update-ca-trust'] },
};

/** The system section of a template. Throws `system-invalid`, `certificate-invalid` and `port-invalid`. */
export function systemChanges(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  refuseAutomaticUpdates(system, 'Arch');
  return joined([
    hostnameChanges(system),
    localizationChanges(system),
    sshdWithMainFile(system, release),
    sysctlChanges('', system.sysctl),
    ntp(system),
    certificateChanges(system.trustedCa, TRUST),
    // pacman takes a proxy from the environment.
    system.proxy === undefined ? NOTHING : proxyChanges(system.proxy, () => []),
    openPorts('template', system.firewall?.open ?? []),
    { ...NOTHING, kernelArguments: system['kernel-arguments'] },
  ]);
}

/** timesyncd is a part of systemd's package, and not every image has it on. */
function ntp({ ntp: servers }: ResolvedSystem): Changes {
  if (servers.length === 0) return NOTHING;
  return {
    ...NOTHING,
    files: [rootFile('/etc/systemd/timesyncd.conf.d/50-ingot.conf', `[Time]\nNTP=${servers.join(' ')}\nFallbackNTP=${servers.join(' ')}\n`)],
    commands: [{ label: 'time servers', argv: ['systemctl', 'enable', '--quiet', 'systemd-timesyncd.service'] }],
  };
}
