import { NOTHING, type Changes } from '../changes.ts';
import { parsePorts } from './ports.ts';
import { shell } from './shell.ts';

/** firewall-offline-cmd(1) changes the default zone's file. Without firewalld no firewall is on, and there is nothing to open. */
const OPEN = String.raw`
if command -v firewall-offline-cmd >/dev/null; then
  for port; do firewall-offline-cmd --quiet --add-port="$port"; done
fi
`;

/** Ports in firewalld's default zone; `name` says who wants them. Throws `port-invalid`. */
export function openPorts(name: string, texts: readonly string[]): Changes {
  const ports = parsePorts(texts).map(({ number, protocol }) => `${number}/${protocol}`);
  return ports.length === 0 ? NOTHING : { ...NOTHING, commands: [shell(`ports of ${name}`, OPEN, ...ports)] };
}
