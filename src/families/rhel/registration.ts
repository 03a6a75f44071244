import { IngotError } from '../../base/errors.ts';
import type { Subscription } from '../../template/template.ts';
import { authorityFiles, CA_FILE, checkUnregistered } from '../common/registration.ts';
import { shell } from '../common/shell.ts';
import type { Registration } from '../recipe.ts';

const AUTHORITIES = '/etc/rhsm/ca';

/**
 * subscription-manager takes an activation key on its command line alone, which every user of the host could read. It is a program of Python: its own
 * interpreter runs it here with words that no process list has, since they are put together inside. (Its D-Bus service would take the key in a message, but
 * needs a bus, which a workspace has not.)
 */
const PYTHON = String.raw`
import runpy, sys
key = sys.stdin.readline().strip()
sys.argv = sys.argv[1:] + ['--activationkey=' + key]
runpy.run_path(sys.argv[0], run_name='__main__')
`;

/**
 * Older servers end a registration that worked with 1, where a product has no subscription of its own. The configuration is kept beside itself, since
 * --serverurl is written into it (subscription-manager(8)).
 */
const REGISTER = String.raw`
python_program=$1 organization=$2 server=$3 content=$4 ca=$5
shift 5
program=$(command -v subscription-manager || true)
if [ -z "$program" ]; then
  echo 'There is no subscription-manager in the image.' >&2
  exit 1
fi
IFS= read -r key || true
if [ -z "$key" ]; then
  echo 'The secret with the activation key is empty.' >&2
  exit 1
fi
python=$(head -n 1 "$program" | sed -nE 's/^#! *([^ ]*\/env +)?([^ ]*python[^ ]*).*/\2/p')
if [ -z "$python" ]; then
  echo "$program is no program of Python: the activation key would stand on its command line." >&2
  exit 1
fi
if [ -f /etc/rhsm/rhsm.conf ] && [ ! -e /etc/rhsm/rhsm.conf.ingot ]; then cp -a /etc/rhsm/rhsm.conf /etc/rhsm/rhsm.conf.ingot; fi
if [ -f "$ca" ]; then subscription-manager config "--rhsm.repo_ca_cert=$ca"; fi
repositories=
for word; do repositories="$repositories --enable=$word"; done
set -- register "--org=$organization" "--name=$(uname -n)"
if [ -n "$server" ]; then set -- "$@" "--serverurl=$server" "--baseurl=$content"; fi
code=0
printf '%s\n' "$key" | "$python" -c "$python_program" "$program" "$@" || code=$?
key=
if [ "$code" = 1 ] && [ -s /etc/pki/consumer/cert.pem ]; then code=0; fi
if [ "$code" != 0 ]; then exit "$code"; fi
if [ -n "$repositories" ]; then subscription-manager repos $repositories; fi
`;

const IDENTIFY = String.raw`
if [ -s /etc/pki/consumer/cert.pem ]; then subscription-manager identity | sed -n 's/^system identity: *//p'; fi
`;

const UNREGISTER = String.raw`
if [ -s /etc/pki/consumer/cert.pem ]; then subscription-manager unregister; fi
`;

const CLEAN = String.raw`
subscription-manager clean >/dev/null 2>&1 || true
rm -rf /etc/pki/consumer/* /etc/pki/entitlement/* /etc/yum.repos.d/redhat.repo /var/lib/rhsm/* /var/log/rhsm/* "$1"
if [ -f /etc/rhsm/rhsm.conf.ingot ]; then mv -fT /etc/rhsm/rhsm.conf.ingot /etc/rhsm/rhsm.conf; fi
`;

/** What registering makes (subscription-manager(8), `clean`); relative to the root. */
const TRACES = [
  'etc/pki/consumer/*',
  'etc/pki/entitlement/*',
  'etc/yum.repos.d/redhat.repo',
  'etc/rhsm/rhsm.conf.ingot',
  `etc/rhsm/ca/${CA_FILE}`,
  'var/lib/rhsm/*',
  'var/log/rhsm/*',
];

/** Registers by an organization and its activation key, at Red Hat or at a Satellite or Katello of the user's own. */
export function registration(subscription: Subscription): Registration {
  if (subscription.vendor !== 'rhel') throw new IngotError('internal', 'subscription-foreign', 'The family rhel registers at Red Hat alone');
  const { organization, secret, repositories, server, ca } = subscription;
  const file = `${AUTHORITIES}/${CA_FILE}`;
  // As a Katello says it itself, in its package katello-ca-consumer.
  const content = server === undefined ? '' : `https://${new URL(server).hostname}/pulp/content`;
  const address = server === undefined ? '' : `${server}/rhsm`;
  return {
    vendor: server === undefined ? 'Red Hat' : server,
    secret,
    about: { vendor: 'rhel', organization, secret, repositories, ...(server === undefined ? {} : { server }) },
    files: authorityFiles(AUTHORITIES, ca),
    register: shell('registration', REGISTER, PYTHON.trim(), organization, address, content, file, ...repositories),
    identify: shell('identity', IDENTIFY),
    unregister: shell('unregistration', UNREGISTER),
    clean: shell('registration', CLEAN, file),
    check: checkUnregistered(TRACES),
    removal:
      server === undefined
        ? `at https://console.redhat.com, under Inventory, in the organization ${organization}`
        : `at ${server}, among the hosts of the organization ${organization}`,
  };
}
