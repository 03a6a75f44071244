import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { shell } from './shell.ts';

/**
 * kernel-install(8) gives a new kernel the arguments of /etc/kernel/cmdline, and without that file those of the machine on which it runs: the builder's. So
 * the arguments of the entry that is there are written down first. `$kernelopts` and `$tuned_params` stand for variables of GRUB.
 */
const COMMAND_LINE = String.raw`
if [ -e /etc/kernel/cmdline ]; then exit 0; fi
for entry in /boot/loader/entries/*.conf /boot/efi/loader/entries/*.conf; do
  if [ ! -f "$entry" ]; then continue; fi
  options=$(sed -n 's/^options[[:space:]]*//p' "$entry" | tail -n 1)
  case "$options" in *'$kernelopts'*)
    saved=$(grub2-editenv - list 2>/dev/null | sed -n 's/^kernelopts=//p')
    options=$(printf '%s\n' "$options" | awk -v saved="$saved" '{ i = index($0, "$kernelopts"); print substr($0, 1, i - 1) saved substr($0, i + 11) }')
    ;;
  esac
  options=$(printf '%s\n' "$options" | sed 's/\$[a-z_]*//g; s/[[:space:]]*$//')
  if [ -n "$options" ]; then
    mkdir -p /etc/kernel
    printf '%s\n' "$options" >/etc/kernel/cmdline
    exit 0
  fi
done
`;

/** Before a kernel may be installed. */
export function commandLine(): GuestCommand {
  return shell('kernel command line', COMMAND_LINE);
}

/**
 * dracut(8) for kernels whose initramfs is missing, or older than the kernel's modules or dracut's configuration: for every machine, not for the builder.
 */
const INITRAMFS = String.raw`
before=$1 after=$2
for modules in /lib/modules/*/modules.dep; do
  folder=$(dirname "$modules") version=$(basename "$(dirname "$modules")")
  if [ ! -e "/boot/vmlinuz-$version" ] && [ ! -e "$folder/vmlinuz" ]; then continue; fi
  image=$before$version$after
  if [ -s "$image" ] && [ -z "$(find "$folder" /etc/dracut.conf /etc/dracut.conf.d /usr/lib/dracut -cnewer "$image" 2>/dev/null | head -n 1)" ]; then continue; fi
  if ! command -v dracut >/dev/null; then
    echo "The kernel $version has no initramfs, and there is no dracut in the image." >&2
    exit 1
  fi
  dracut --quiet --force --no-hostonly --kver "$version" "$image"
done
`;

/** The initramfs of kernels, whose files are called `<before><version><after>`. */
export function initramfs(before: string, after: string): GuestCommand {
  return shell('initramfs', INITRAMFS, before, after);
}

/**
 * The kernel's arguments, wherever a boot loader looks for them: entries of the Boot Loader Specification, the files from which entries of later kernels
 * are made, GRUB's variable, and GRUB's menu where there are no entries. grub2-mkconfig asks for the device of the root, which a workspace does not show:
 * the menu that is there is changed instead, and starts the newest kernel.
 */
const ENTRIES = String.raw`
more() { # the words of $1, and then those of ours which it has not
  line=$1
  for word in $ours; do case " $line " in *" $word "*) ;; *) line="$line $word" ;; esac; done
  printf '%s\n' "${'$'}{line# }"
}
change() { # the text after $2 (a pattern of awk) in lines of the file $1, up to a closing quote
  while IFS= read -r text || [ -n "$text" ]; do
    head=$(printf '%s\n' "$text" | sed -nE "s/^($2).*/\1/p")
    if [ -z "$head" ]; then printf '%s\n' "$text"; continue; fi
    rest=${'$'}{text#"$head"} quote=
    case "$head" in *\") quote=\"; rest=${'$'}{rest%%\"*} ;; esac
    printf '%s%s%s\n' "$head" "$(more "$rest")" "$quote"
  done <"$1" >/tmp/changed
  if ! cmp -s /tmp/changed "$1"; then cat /tmp/changed >"$1"; fi
}
ours=$*
entries=no
for entry in /boot/loader/entries/*.conf /boot/efi/loader/entries/*.conf; do
  if [ ! -f "$entry" ]; then continue; fi
  entries=yes
  if [ -n "$ours" ]; then change "$entry" 'options[[:space:]]+'; fi
done
if [ -n "$ours" ]; then
  if [ -f /etc/kernel/cmdline ]; then more "$(cat /etc/kernel/cmdline)" >/tmp/changed; cat /tmp/changed >/etc/kernel/cmdline; fi
  if [ -f /etc/default/grub ]; then change /etc/default/grub 'GRUB_CMDLINE_LINUX="'; fi
  saved=$(grub2-editenv - list 2>/dev/null | sed -n 's/^kernelopts=//p')
  if [ -n "$saved" ]; then grub2-editenv - set "kernelopts=$(more "$saved")"; fi
fi
menu=/boot/grub2/grub.cfg
if [ "$entries" = yes ] || [ ! -f "$menu" ]; then exit 0; fi
if [ -n "$ours" ]; then change "$menu" '[[:space:]]*linux(efi)?[[:space:]]+'; fi
newest=$(ls /boot | sed -n 's/^vmlinuz-//p' | sort -V | tail -n 1)
named=$(grep -oE 'vmlinuz-[^[:space:]]+' "$menu" | head -n 1 | cut -c 9-)
if [ -n "$newest" ] && [ -n "$named" ] && [ "$newest" != "$named" ]; then
  awk -v old="$named" -v new="$newest" '{ out = ""; while (i = index($0, old)) { out = out substr($0, 1, i - 1) new; $0 = substr($0, i + length(old)) } print out $0 }' "$menu" >/tmp/changed
  cat /tmp/changed >"$menu"
fi
`;

/** Boot entries with arguments that were added, and for a kernel that is new. */
export function bootEntries(addedArguments: readonly string[]): GuestCommand {
  return shell('boot entries', ENTRIES, ...addedArguments);
}
