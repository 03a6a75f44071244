import type { TemplateNetwork } from '../../template/network-schema.ts';
import type { Changes } from '../changes.ts';

/**
 * The image's network as cloud-init's network configuration, version 2. cloud-init takes the first of: the kernel's command line, the system's
 * configuration (this), and what the platform says, so the image's network is that of each of its VMs. Written as JSON, which is YAML.
 * https://cloudinit.readthedocs.io/en/latest/reference/network-config.html
 */
export function networkChanges(network: TemplateNetwork): Changes {
  const content = `${JSON.stringify({ network: { version: 2, ...network } }, undefined, 2)}\n`;
  return { packages: [], files: [{ path: '/etc/cloud/cloud.cfg.d/90-ingot-network.cfg', content, mode: '0644' }], commands: [], kernelArguments: [] };
}
