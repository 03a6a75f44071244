import { rpmSeal } from '../common/rpm-seal.ts';
import { shell } from '../common/shell.ts';
import type { Family } from '../family.ts';

/** Services and repositories that a registration with SUSE added; they ask for its password. */
const REGISTERED = String.raw`
for file in /etc/zypp/services.d/*.service /etc/zypp/repos.d/*.repo; do
  if [ -f "$file" ] && grep -qE '^(url|baseurl)=.*(scc\.suse\.com|[?&]credentials=)' "$file"; then rm -f "$file"; fi
done
`;

/**
 * zypper's caches and logs, who the machine is to SUSE (what `SUSEConnect --cleanup` takes away), and the file that would have YaST or jeos-firstboot ask
 * questions on the console of every new machine.
 */
export const seal: Family['seal'] = {
  commands: [shell('registration', REGISTERED)],
  ...rpmSeal(
    [
      'var/cache/zypp/*',
      'var/cache/zypper/*',
      'var/lib/zypp/AnonymousUniqueId',
      'var/lib/zypp/LastDistributionFlavor',
      'var/adm/backup/rpmdb/*',
      'var/adm/backup/sysconfig/*',
      'var/lib/YaST2/reconfig_system',
      'var/lib/YaST2/runme_at_boot',
      'etc/SUSEConnect',
      'etc/zypp/credentials.d/*',
      'var/lib/suseconnect/*',
      'var/lib/wicked/*',
    ],
    ['etc/sysconfig/network/ifcfg-eth*', 'etc/sysconfig/network/ifroute-eth*'],
  ),
};
