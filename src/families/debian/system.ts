import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { certificateChanges, type TrustStore } from '../common/certificates.ts';
import { hostnameChanges } from '../common/hostname.ts';
import { sysctlChanges } from '../common/kernel.ts';
import { openPorts } from '../common/nftables.ts';
import { proxyChanges } from '../common/proxy.ts';
import { sshdChanges } from '../common/sshd.ts';
import { aptProxy } from './apt-proxy.ts';
import { localizationChanges } from './localization.ts';
import { automaticUpdates } from './update.ts';

const TRUST: TrustStore = {
  packages: ['ca-certificates'],
  folder: '/usr/local/share/ca-certificates',
  ending: '.crt',
  update: { label: 'CA certificates', argv: ['update-ca-certificates'] },
};

/**
 * The system section of a template. Each part has files of its own, named after ingot, beside the distribution's: a package's update never asks
 * about them. Throws `system-invalid` and `certificate-invalid`.
 */
export function systemChanges(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  return joined([
    hostnameChanges(system),
    localizationChanges(system),
    sshdChanges(system, release),
    sysctlChanges('', system.sysctl),
    ntp(system),
    automaticUpdates(system),
    certificateChanges(system.trustedCa, TRUST),
    system.proxy === undefined ? NOTHING : proxyChanges(system.proxy, aptProxy),
    openPorts('template', system.firewall?.open ?? []),
    { ...NOTHING, kernelArguments: system['kernel-arguments'] },
  ]);
}

/** timesyncd falls back to servers that are compiled in where it has no others to fall back to, and an empty list is none. */
function ntp({ ntp: servers }: ResolvedSystem): Changes {
  if (servers.length === 0) return NOTHING;
  return {
    ...NOTHING,
    packages: ['systemd-timesyncd'],
    files: [rootFile('/etc/systemd/timesyncd.conf.d/50-ingot.conf', `[Time]\nNTP=${servers.join(' ')}\nFallbackNTP=${servers.join(' ')}\n`)],
  };
}
