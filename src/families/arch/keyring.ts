import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { shell } from '../common/shell.ts';

/** Keys of a template's repositories, one file each; each machine signs them with a key of its own. */
export const KEYS = '/etc/pacman.d/ingot-keys';

/**
 * pacman trusts what the machine's own secret key has signed, so a keyring is made by each machine and never copied (pacman-key(8)). This makes one where
 * there is none: the distribution's keys where their package is installed, and those of the template's repositories.
 */
const KEYRING = String.raw`#!/bin/sh
set -e
home=/etc/pacman.d/gnupg
if [ ! -e "$home/trustdb.gpg" ]; then
  pacman-key --init
  if ls /usr/share/pacman/keyrings/*.gpg >/dev/null 2>&1; then pacman-key --populate; fi
fi
for key in ${KEYS}/*.asc; do
  [ -f "$key" ] || continue
  pacman-key --add "$key"
  own=$(mktemp -d)
  for fingerprint in $(gpg --homedir "$own" --batch --with-colons --show-keys "$key" | awk -F : '$1 == "pub" { first = 1 } $1 == "fpr" && first { print $10; first = 0 }'); do
    pacman-key --lsign-key "$fingerprint"
  done
  rm -rf "$own"
done
`;

/** Makes the keyring where an earlier layer's seal took it away. */
export function keyring(): GuestCommand {
  return shell('keyring', KEYRING);
}

/**
 * Not the distribution's pacman-init.service: that one runs at what systemd calls a first boot, and the machine id of a golden image is empty rather than
 * missing, which is none (machine-id(5)). Without a keyring pacman installs nothing.
 */
const UNIT = `[Unit]
Description=Keyring of pacman, made by each machine
ConditionPathExists=!/etc/pacman.d/gnupg/trustdb.gpg
Before=cloud-final.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/ingot/pacman-keyring

[Install]
WantedBy=multi-user.target
`;

const FIRST_BOOT = String.raw`
mkdir -p /usr/lib/ingot
printf '%s' "$1" >/usr/lib/ingot/pacman-keyring
chmod 755 /usr/lib/ingot/pacman-keyring
printf '%s' "$2" >/etc/systemd/system/ingot-pacman-keyring.service
if [ -e /etc/systemd/system/pacman-init.service ]; then systemctl disable --quiet pacman-init.service; fi
systemctl enable --quiet ingot-pacman-keyring.service
`;

/** Each machine makes its keyring at its first boot. */
export function keyringAtFirstBoot(): GuestCommand {
  return shell('keyring at the first boot', FIRST_BOOT, KEYRING, UNIT);
}
