import type { TemplateNetwork } from '../../template/network-schema.ts';
import { joined, NOTHING, type Changes } from '../changes.ts';
import { networkChanges as cloudNetwork } from '../common/cloud-network.ts';
import { shell } from '../common/shell.ts';

/** cloud-init writes what NetworkManager reads, as connections of its own or as ifcfg files, whichever the image's version knows. */
const MANAGER = String.raw`
if [ ! -d /etc/cloud ] || [ ! -e /usr/lib/systemd/system/NetworkManager.service ]; then
  echo 'The network needs cloud-init and NetworkManager, and the image lacks one of them.' >&2
  exit 1
fi
systemctl enable --quiet NetworkManager.service
`;

/** The image's network, rendered by cloud-init at each machine's first boot. */
export function networkChanges(network: TemplateNetwork): Changes {
  return joined([cloudNetwork(network), { ...NOTHING, commands: [shell('network', MANAGER)] }]);
}
