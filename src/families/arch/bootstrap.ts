import { rootFile } from '../changes.ts';
import { MACHINES } from '../common/machines.ts';
import { shell } from '../common/shell.ts';
import type { BootstrapRequest, ManagerBootstrap } from '../family.ts';
import { PACMAN } from './install.ts';
import { KEYS } from './keyring.ts';
import { repositoryFiles, section } from './repositories.ts';

/** A keyring for this root alone, which trusts the keys that were put there; its secret key goes when the packages are in. */
const KEYRING = String.raw`
root=$1
mkdir -m 0755 -p "$root/var/lib/pacman" "$root/var/cache/pacman/pkg" "$root/var/log" "$root/etc/pacman.d"
pacman-key --gpgdir "$root/etc/pacman.d/gnupg" --init
for key in "$root${KEYS}"/*.asc; do
  pacman-key --gpgdir "$root/etc/pacman.d/gnupg" --add "$key"
  own=$(mktemp -d)
  for fingerprint in $(gpg --homedir "$own" --batch --with-colons --show-keys "$key" | awk -F : '$1 == "pub" { first = 1 } $1 == "fpr" && first { print $10; first = 0 }'); do
    pacman-key --gpgdir "$root/etc/pacman.d/gnupg" --lsign-key "$fingerprint"
  done
done
`;

/** The root's own list of repositories: that of its package of pacman, without sections that it now has in files of their own. */
const OWN_LIST = String.raw`
root=$1; shift
conf=$root/etc/pacman.conf
if [ ! -f "$conf" ]; then printf '[options]\nArchitecture = auto\nSigLevel = Required DatabaseOptional\n' >"$conf"; fi
for name; do
  awk -v section="[$name]" '/^\[/ { gone = ($0 == section) } !gone { print }' "$conf" >/tmp/pacman.conf
  cat /tmp/pacman.conf >"$conf"
done
printf '\nInclude = /etc/pacman.conf.d/*.conf\n' >>"$conf"
rm -rf "$root/etc/pacman.d/gnupg" "$root"/var/cache/pacman/pkg/*
`;

/**
 * An empty root by pacman (pacman(8), --root): with a configuration and a keyring of its own, so nothing of the root that holds pacman is read. The
 * repositories stay in it.
 */
export function bootstrap({ root, packages, repositories, arch }: BootstrapRequest): ManagerBootstrap {
  const config = '/etc/ingot-bootstrap.conf';
  const options = `[options]\nArchitecture = ${MACHINES[arch] ?? arch}\nSigLevel = Required\n`;
  const where = ['--root', root, '--dbpath', `${root}/var/lib/pacman`, '--cachedir', `${root}/var/cache/pacman/pkg`];
  return {
    files: [rootFile(config, [options, ...repositories.map(section)].join('\n')), ...repositories.flatMap((repository) => repositoryFiles(repository, root))],
    commands: [
      shell('keyring', KEYRING, root),
      { label: 'packages', argv: [...PACMAN, '--config', config, ...where, '--gpgdir', `${root}/etc/pacman.d/gnupg`, '-Sy', ...packages] },
      shell('repositories', OWN_LIST, root, ...repositories.map(({ name }) => name)),
    ],
  };
}
