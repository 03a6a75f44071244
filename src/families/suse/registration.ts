import { IngotError } from '../../base/errors.ts';
import type { Subscription } from '../../template/template.ts';
import { authorityFiles, CA_FILE, checkUnregistered } from '../common/registration.ts';
import { shell } from '../common/shell.ts';
import type { Registration } from '../recipe.ts';

const AUTHORITIES = '/etc/pki/trust/anchors';

/**
 * SUSEConnect reads a code from standard input since `--regcode -` is there, which its program tells by what it says of a file with one. Older ones take it on
 * their command line alone: that is done only where nobody else sees it. Names of modules have the version and the machine behind them (SUSEConnect(8)).
 */
const REGISTER = String.raw`
server=$1 email=$2 ca=$3
shift 3
program=$(command -v SUSEConnect || true)
if [ -z "$program" ]; then
  echo 'There is no SUSEConnect in the image.' >&2
  exit 1
fi
if [ -e /usr/sbin/registercloudguest ]; then
  echo 'The image registers itself at its cloud (registercloudguest), and SUSEConnect does not unregister such a system: take the image for KVM.' >&2
  exit 1
fi
IFS= read -r code || true
if [ -z "$code" ] && [ -z "$server" ]; then
  echo 'The secret with the registration code is empty.' >&2
  exit 1
fi
modules=$*
if [ -f "$ca" ]; then update-ca-certificates; fi
set --
if [ -n "$server" ]; then set -- "$@" --url "$server"; fi
if [ -n "$email" ]; then set -- "$@" --email "$email"; fi
if [ -z "$code" ]; then SUSEConnect "$@"
elif grep -q 'failed to open token file' "$program"; then printf '%s\n' "$code" | SUSEConnect "$@" --regcode -
elif [ "$INGOT_ALONE" = yes ]; then SUSEConnect "$@" --regcode "$code"
else
  echo 'The SUSEConnect of the image takes the registration code on its command line alone, where everybody on this host could read it: build with --workspace vm.' >&2
  exit 1
fi
code=
version=$(sed -n 's/^VERSION_ID="\{0,1\}\([^"]*\).*/\1/p' /etc/os-release)
for module in $modules; do
  case "$module" in */*) ;; *) module=$module/$version/$(uname -m) ;; esac
  SUSEConnect --product "$module"
done
`;

const CREDENTIALS = '/etc/zypp/credentials.d/SCCcredentials';

const IDENTIFY = String.raw`
if [ -s "$1" ]; then sed -n 's/^username=//p' "$1"; sed -nE 's/^(password|system_token)=//p' "$1"; fi
`;

const UNREGISTER = String.raw`
if [ -s "$1" ]; then SUSEConnect --de-register; fi
`;

const CLEAN = String.raw`
SUSEConnect --cleanup >/dev/null 2>&1 || true
for file in /etc/zypp/services.d/*.service /etc/zypp/repos.d/*.repo; do
  if [ -f "$file" ] && grep -qE '^(url|baseurl)=.*(scc\.suse\.com|[?&]credentials=)' "$file"; then rm -f "$file"; fi
done
rm -rf /etc/SUSEConnect /etc/zypp/credentials.d/* /var/lib/suseconnect/* /var/log/suseconnect.log*
if [ -f "$1" ]; then rm -f "$1"; update-ca-certificates; fi
`;

/** What registering makes (SUSEConnect(8), `--cleanup`); relative to the root. */
const TRACES = ['etc/SUSEConnect', 'etc/zypp/credentials.d/*', 'var/lib/suseconnect/*', 'var/log/suseconnect.log*', `etc/pki/trust/anchors/${CA_FILE}`];

/** Registers by a registration code at SUSE's Customer Center, or at an RMT of the user's own. */
export function registration(subscription: Subscription): Registration {
  if (subscription.vendor !== 'sles') throw new IngotError('internal', 'subscription-foreign', 'The family suse registers at SUSE alone');
  const { secret, email = '', modules, server, ca } = subscription;
  const file = `${AUTHORITIES}/${CA_FILE}`;
  const known = secret === undefined ? {} : { secret };
  return {
    vendor: server === undefined ? 'SUSE' : server,
    ...known,
    about: { vendor: 'sles', ...known, modules, ...(server === undefined ? {} : { server }) },
    files: authorityFiles(AUTHORITIES, ca),
    register: shell('registration', REGISTER, server ?? '', email, file, ...modules),
    identify: shell('identity', IDENTIFY, CREDENTIALS),
    unregister: shell('unregistration', UNREGISTER, CREDENTIALS),
    clean: shell('registration', CLEAN, file),
    check: checkUnregistered(TRACES),
    removal:
      server === undefined
        ? 'at https://scc.suse.com, under Systems'
        : `on ${server}: \`rmt-cli systems list\` shows it, \`rmt-cli systems remove\` takes its login`,
  };
}
