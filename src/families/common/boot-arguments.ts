import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { shell } from './shell.ts';

/**
 * Arguments go to the end of every entry that the image boots by, and to where the distribution's own programs take them from when they write entries
 * anew. Those programs are not run: they would look for the disk that a closed image is not mounted from. An argument that is there stays as it is.
 */
const ARGUMENTS = String.raw`
export ARGUMENTS="$*"
append() { # $1: file, $2: pattern of a line, $3: what the line ends in after its arguments
  [ -f "$1" ] || return 0
  LINE="$2" END="$3" awk '
    BEGIN { count = split(ENVIRON["ARGUMENTS"], wanted, " ") }
    $0 ~ ENVIRON["LINE"] {
      end = ENVIRON["END"]
      body = end == "" ? $0 : substr($0, 1, length($0) - length(end))
      bare = body; gsub(/"/, " ", bare)
      for (i = 1; i <= count; i++) if (index(" " bare " ", " " wanted[i] " ") == 0) body = body (body ~ /["]$/ ? "" : " ") wanted[i]
      $0 = body end
    }
    { print }' "$1" >/tmp/boot-entry
  cat /tmp/boot-entry >"$1"
}
found=
for file in /boot/grub/grub.cfg /boot/grub2/grub.cfg; do
  if [ -f "$file" ]; then found=yes; append "$file" '^[[:space:]]*linux(16|efi)?[[:space:]]' ''; fi
done
for file in /boot/loader/entries/*.conf /efi/loader/entries/*.conf; do
  if [ -f "$file" ]; then found=yes; append "$file" '^options[[:space:]]' ''; fi
done
for file in /boot/extlinux.conf /boot/extlinux/extlinux.conf; do
  if [ -f "$file" ]; then found=yes; append "$file" '^[[:space:]]*APPEND[[:space:]]' ''; fi
done
append /etc/default/grub '^GRUB_CMDLINE_LINUX=".*"$' '"'
append /etc/update-extlinux.conf '^default_kernel_opts=".*"$' '"'
append /etc/kernel/cmdline '.' ''
if [ -z "$found" ]; then
  echo 'No boot entries are in the image that kernel arguments could be added to: of GRUB, systemd-boot or extlinux.' >&2
  exit 1
fi
`;

/** Adds arguments to the kernel's command line in a closed image, for GRUB, systemd-boot and extlinux. Nothing where there are none. */
export function bootArguments(added: readonly string[]): GuestCommand[] {
  return added.length === 0 ? [] : [shell('kernel arguments', ARGUMENTS, ...added)];
}
