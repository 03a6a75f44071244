import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Home } from '../../../base/home.ts';
import type { Host } from '../../../base/host.ts';
import { makeScratch } from '../../../base/scratch.ts';
import type { BuildAccount, Origin } from './project.ts';

/** The account that a build makes, uses and removes; platforms never know of it. */
const NAME = 'packer';
/** By this its key is found again: cloud-init also writes it for root, with a word on whom to log in as. */
const KEY_NAME = 'ingot-packer-build';
const ROOT_KEYS = '/root/.ssh/authorized_keys';

/** An account with a key of its own, made for one project. Throws what ssh-keygen fails with. */
export async function makeAccount(host: Host, home: Home): Promise<BuildAccount> {
  await using scratch = await makeScratch(host, home, 'a key for Packer');
  const path = join(scratch.path, 'key');
  await host.processes.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', KEY_NAME, '-f', path]);
  const [privateKey, publicKey] = await Promise.all([host.files.read(path), host.files.read(`${path}.pub`)]);
  return {
    name: NAME,
    privateKey: Buffer.from(privateKey).toString(),
    publicKey: Buffer.from(publicKey).toString().trim(),
  };
}

/** What cloud-init is told so that Packer can log in. */
export function userData({ name, publicKey }: BuildAccount): string {
  // `*` lets nobody in by a password; a locked account would keep keys out too, where PAM is not used.
  const user = {
    name,
    lock_passwd: false,
    passwd: '*',
    shell: '/bin/sh',
    sudo: 'ALL=(ALL) NOPASSWD:ALL',
    doas: [`permit nopass ${name}`],
    ssh_authorized_keys: [publicKey],
  };
  return `#cloud-config\n${stringify({ users: [user] }, { lineWidth: 0 })}`;
}

/** The meta-data that goes with it: one identifier for all machines, since only the build's own starts from it. */
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
  const files = [`/etc/sudoers.d/90-${NAME}`, '/etc/sudoers.d/90-cloud-init-users', `/etc/doas.d/90-${NAME}.conf`, '/etc/doas.d/cloud-init.conf'];
  const keys = `sed -i /${KEY_NAME}/d ${ROOT_KEYS} 2>/dev/null || true; [ -s ${ROOT_KEYS} ] || rm -f ${ROOT_KEYS}`;
  return `rm -f ${files.join(' ')}; ${keys}; ${remove} ${account} || exit 1; sync`;
}
