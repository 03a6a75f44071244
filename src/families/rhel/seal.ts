import type { Family } from '../family.ts';
import { rpmSeal } from '../common/rpm-seal.ts';

/**
 * dnf's caches and logs, and who the machine is to Red Hat: certificates of a subscription (what `subscription-manager clean` takes away), and the
 * identity for Insights.
 */
export const seal: Family['seal'] = {
  commands: [],
  ...rpmSeal(
    [
      'var/cache/dnf/*',
      'var/cache/dnf/.[!.]*',
      'var/cache/libdnf5/*',
      'var/cache/yum/*',
      'etc/pki/consumer/*',
      'etc/pki/entitlement/*',
      'etc/yum.repos.d/redhat.repo',
      'var/lib/rhsm/*',
      'etc/insights-client/machine-id',
      'etc/insights-client/.registered',
      'etc/insights-client/.unregistered',
    ],
    // Written by cloud-init for one machine; those of ingot's own template are made anew by it.
    ['etc/sysconfig/network-scripts/ifcfg-eth*', 'etc/sysconfig/network-scripts/ifcfg-en*'],
  ),
};
