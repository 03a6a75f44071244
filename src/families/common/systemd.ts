import type { Changes } from '../changes.ts';
import type { ServiceState } from '../family.ts';
import { shell } from './shell.ts';

/** systemctl believes any name when it disables or masks, so whether the unit is there is looked up first; old init scripts count. */
const SERVICE = String.raw`
unit=$1 state=$2
case "$unit" in
  *.service | *.socket | *.timer | *.path | *.mount | *.automount | *.swap | *.target | *.slice) ;;
  *) unit=$unit.service ;;
esac
file=$(echo "$unit" | sed 's/@.*\./@./')
known() {
  for folder in /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e "$folder/$1" ] || [ -L "$folder/$1" ]; then return 0; fi
  done
  [ -x "/etc/init.d/$(basename "$1" .service)" ]
}
if ! known "$unit" && ! known "$file"; then
  near=$(systemctl list-unit-files --root=/ --no-legend --plain | awk '{ sub(/\.service$/, "", $1); print $1 }' | nearest "$(basename "$unit" .service)")
  echo "There is no unit $unit in the image.$(if [ -n "$near" ]; then echo " The nearest are $near."; else echo ' Is its package among the packages?'; fi)" >&2
  exit 1
fi
case "$state" in
  enabled) systemctl unmask --quiet "$unit"; systemctl enable --quiet "$unit" ;;
  disabled) systemctl disable --quiet "$unit" ;;
  masked) systemctl mask --quiet "$unit" ;;
esac
`;

/** A service that starts with the system, does not, or cannot. Fails inside with the nearest units where there is none of that name. */
export function serviceChanges(service: string, state: ServiceState): Changes {
  return { packages: [], files: [], commands: [shell(`${service} ${state}`, SERVICE, service, state)], kernelArguments: [] };
}
