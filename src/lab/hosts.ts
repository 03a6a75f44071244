import { hashValue } from '../base/hash.ts';

/** A name on a lab's network. */
export interface HostEntry {
  readonly name: string;
  readonly address: string;
}

/** The lines of /etc/hosts by which the members of a lab know each other, between marks; the hash stands for them. Pure. */
export function hostsBlock(lab: string, entries: readonly HostEntry[]): { readonly text: string; readonly hash: string } {
  const lines = entries.map(({ name, address }) => `${address} ${name} ${name}.${lab}`);
  const text = [`${START} ${lab}`, ...lines, END, ''].join('\n');
  return { text, hash: hashValue(text) };
}

const START = '# ingot lab';
const END = '# end of ingot lab';

/** Puts the lines on standard input into /etc/hosts, in the place of those that are there. For sh, as root. The file itself stays, with its label for SELinux. */
export const UPDATE_HOSTS = [
  'set -eu',
  'umask 022',
  'new=/etc/hosts.ingot-lab',
  `sed '/^${START} /,/^${END}$/d' /etc/hosts > "$new"`,
  'cat >> "$new"',
  'cat "$new" > /etc/hosts',
  'rm -f "$new"',
].join('\n');
