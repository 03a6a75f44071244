import { NOTHING, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import type { ServiceState } from '../family.ts';

/**
 * rc-update(8). OpenRC knows no masking: a masked service is in no runlevel, and is still started where another service needs it, as a disabled one is.
 * A service may have a runlevel of its own by default (`boot`, `sysinit`), in which it then stays.
 */
const SERVICE = String.raw`
service=$(basename "$1" .service) state=$2
if [ ! -x "/etc/init.d/$service" ]; then
  near=$(ls /etc/init.d | nearest "$service")
  echo "There is no service $service in the image.$(if [ -n "$near" ]; then echo " The nearest are $near."; else echo ' Is its package among the packages?'; fi)" >&2
  exit 1
fi
held=$(cd /etc/runlevels && for level in *; do if [ -L "$level/$service" ]; then echo "$level"; fi; done)
case "$state" in
  enabled) [ -n "$held" ] || rc-update --quiet add "$service" default ;;
  *) for level in $held; do rc-update --quiet del "$service" "$level"; done ;;
esac
`;

/** A service that starts with the system, or does not. Fails inside with the nearest services where there is none of that name. */
export function serviceChanges(service: string, state: ServiceState): Changes {
  return { ...NOTHING, commands: [shell(`${service} ${state}`, SERVICE, service, state)] };
}
