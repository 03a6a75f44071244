import type { UbuntuPro } from '../../template/template.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';

/**
 * One program from attaching to detaching, so that no layer holds what is in between. The token comes by standard input and goes on by a file in memory,
 * as `pro attach --attach-config` reads it (pro(1)): no command line and no disk holds it. Whatever happens, the machine is detached at the
 * subscription's server, too, and what names it is removed: clones of an attached image would all be one machine.
 */
const UPDATE = String.raw`
IFS= read -r token || true
case "$token" in
  '' | *[!A-Za-z0-9_-]*)
    echo 'The secret with the token of Ubuntu Pro holds no token: it is one word of letters and digits.' >&2
    exit 1
    ;;
esac
config=/run/ingot-pro.yaml
clean() {
  rm -rf /var/lib/ubuntu-advantage/private /var/lib/ubuntu-advantage/machine-id /var/lib/ubuntu-advantage/*.json /var/lib/ubuntu-advantage/messages
  rm -f /etc/apt/auth.conf.d/90ubuntu-advantage /etc/apt/sources.list.d/ubuntu-esm-*.list /etc/apt/sources.list.d/ubuntu-esm-*.sources
  rm -f /etc/apt/preferences.d/ubuntu-esm-* /var/log/ubuntu-advantage*.log
}
failed() {
  status=$?
  rm -f "$config"
  pro detach --assume-yes >/dev/null 2>&1 || true
  clean
  exit "$status"
}
trap failed EXIT
(umask 077 && { printf 'token: %s\nenable_services:\n' "$token"; printf '  - %s\n' "$@"; } >"$config")
token=
pro attach --attach-config "$config"
rm -f "$config"
apt-get --quiet --error-on=any update
apt-get --yes --quiet --no-install-recommends -o Dpkg::Options::=--force-confold dist-upgrade
trap - EXIT
pro detach --assume-yes || { clean; echo 'Ubuntu Pro could not be detached: remove the machine in your dashboard.' >&2; exit 1; }
clean
`;

/**
 * Installs the updates of a subscription, and detaches. Afterwards nothing of the image knows of it: a VM that is to get updates attaches itself.
 */
export function ubuntuProChanges({ token, services }: UbuntuPro): Changes {
  return {
    ...NOTHING,
    packages: ['ca-certificates', 'ubuntu-pro-client'],
    commands: [{ ...shell('Ubuntu Pro', UPDATE, ...services), secretStdin: token, network: true }],
  };
}
