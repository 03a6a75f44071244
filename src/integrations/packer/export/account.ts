import { stringify } from 'yaml';
import { randomId, type Host } from '../../../base/host.ts';
import { hashPassword } from '../../../platforms/local/password.ts';
import type { BuildAccount, Origin } from './project.ts';

/** The account that a build makes, uses and removes; platforms never know of it. */
const NAME = 'packer';

/**
 * An account with a password of its own, since a machine that is being built can often be reached from the network. Needs openssl; throws what hashing
 * throws.
 */
export async function makeAccount(host: Pick<Host, 'processes' | 'random'>): Promise<BuildAccount> {
  const password = randomId(host.random, 16);
  return { name: NAME, password, hash: await hashPassword(host, password) };
}

/** What cloud-init is told so that Packer can log in. */
export function userData({ name, hash }: BuildAccount): string {
  const user = { name, lock_passwd: false, passwd: hash, shell: '/bin/sh', sudo: 'ALL=(ALL) NOPASSWD:ALL', doas: [`permit nopass ${name}`] };
  return `#cloud-config\n${stringify({ users: [user], ssh_pwauth: true })}`;
}

export function metaData({ template }: Pick<Origin, 'template'>): string {
  return stringify({ 'instance-id': `packer-${template.name}`, 'local-hostname': 'packer' });
}

/** How a script becomes root's. Alpine's installer gives doas, which passes no environment on; everything else has sudo. */
export function asRoot(origin: Pick<Origin, 'release' | 'image'>): string {
  return hasDoas(origin) ? "doas env {{ .Vars }} '{{ .Path }}'" : "{{ .Vars }} sudo -E '{{ .Path }}'";
}

/** How the machine is turned off, and nothing of the account stays. */
export function shutDown(origin: Pick<Origin, 'release' | 'image'>): string {
  return `${hasDoas(origin) ? 'doas' : 'sudo'} sh -c '${leaving(origin)}; poweroff'`;
}

function hasDoas({ release, image }: Pick<Origin, 'release' | 'image'>): boolean {
  return release.family === 'alpine' && image === undefined;
}

/** Removes the account that Packer has logged in as, and all that let it do what root does. */
export function leaving(origin: Pick<Origin, 'release' | 'image'>): string {
  const account = `"$${hasDoas(origin) ? 'DOAS_USER' : 'SUDO_USER'}"`;
  const remove = origin.release.family === 'alpine' ? 'deluser --remove-home' : 'userdel -f -r';
  return `rm -f /etc/sudoers.d/90-${NAME} /etc/sudoers.d/90-cloud-init-users /etc/doas.d/90-${NAME}.conf /etc/doas.d/cloud-init.conf; ${remove} ${account} || exit 1; sync`;
}
