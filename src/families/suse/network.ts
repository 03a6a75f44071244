import type { TemplateNetwork } from '../../template/network-schema.ts';
import { joined, NOTHING, type Changes } from '../changes.ts';
import { networkChanges as cloudNetwork } from '../common/cloud-network.ts';
import { shell } from '../common/shell.ts';

/** cloud-init writes ifcfg files for wicked (up to Leap 15 and SLES 15), connections for NetworkManager; one of them has to be on. */
const MANAGER = String.raw`
for unit in wicked.service NetworkManager.service; do
  if [ -d /etc/cloud ] && systemctl --root=/ is-enabled --quiet "$unit" 2>/dev/null; then exit 0; fi
done
for unit in NetworkManager.service wicked.service; do
  if [ -d /etc/cloud ] && [ -e "/usr/lib/systemd/system/$unit" ]; then systemctl enable --quiet "$unit"; exit 0; fi
done
echo 'The network needs cloud-init, and wicked or NetworkManager, which the image lacks.' >&2
exit 1
`;

/** The image's network, rendered by cloud-init at each machine's first boot. */
export function networkChanges(network: TemplateNetwork): Changes {
  return joined([cloudNetwork(network), { ...NOTHING, commands: [shell('network', MANAGER)] }]);
}
