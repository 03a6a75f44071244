import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { parsePorts } from './ports.ts';

/**
 * Ports for the firewall of the role `hardened`, which reads /etc/nftables.d/*.nft after its table `inet filter` with the sets open_tcp and open_udp
 * (nft(8)). Without it no firewall is on, and the file means nothing.
 */
export function openPorts(name: string, texts: readonly string[]): Changes {
  const ports = parsePorts(texts);
  if (ports.length === 0) return NOTHING;
  const lines = ports.map(({ number, protocol }) => `add element inet filter open_${protocol} { ${number} }\n`);
  return { ...NOTHING, files: [rootFile(`/etc/nftables.d/50-${name}.nft`, lines.join(''))] };
}
