import type { SshAccess } from './guest-spec.ts';
import { addressOf, sshOptions } from './ssh.ts';

/** Options that suit ingot's own calls, but not a person or a tool that may ask. */
const OF_INGOT = ['BatchMode', 'ConnectTimeout'];

/** A section of an ssh_config by which ssh, rsync, editors and the like reach a VM by its name. */
export function sshConfigSection(name: string, access: SshAccess): string {
  const options = { HostName: addressOf(access), Port: String(access.port), User: access.user, ...sshOptions(name, access) };
  const lines = Object.entries(options).filter(([key]) => !OF_INGOT.includes(key));
  return [`Host ${name}`, ...lines.map(([key, value]) => `  ${key} ${value}`), ''].join('\n');
}
