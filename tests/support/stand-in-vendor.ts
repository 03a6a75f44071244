import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RootFile } from '../../src/workspace/guest-root.ts';

/*
 * Stands for Red Hat and SUSE, and for their programs: subscription-manager and SUSEConnect as their sources and manuals have them (candlepin/subscription-manager,
 * SUSE/connect-ng): words, exit codes, what they write and leave. They ask a server of the test's own, which knows who is registered.
 */

export const ORGANIZATION = '1234567';
export const SECRET = 'K3y-that-nobody-reads';

/** A program of the vendor's has that secret on its command line, or another of this host. */
function shownBySomebody(text: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return [];
    try {
      return ['cmdline', 'environ'].flatMap((file) => (readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text) ? [`${file} of ${pid}`] : []));
    } catch {
      return []; // it has just ended
    }
  });
}

/** A server at which machines are registered. */
export class StandInVendor implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  /** Names of the machines that are registered, by what they are called here. */
  readonly systems = new Map<string, string>();
  /** Every request: `register ingot-…`. */
  readonly asked: string[] = [];
  /** Where the secret could be seen when a machine was registered by it. */
  readonly seen: string[] = [];
  /** What every request is refused with meanwhile. */
  refusal: string | undefined;
  /** Requests that are refused by what comes after a point: `unregister`. */
  readonly broken = new Set<string>();
  /** Called when a machine is registered, before it hears so. */
  onRegister: () => void = () => undefined;

  static async open(): Promise<StandInVendor> {
    const vendor = new StandInVendor();
    await new Promise<void>((resolve) => vendor.#server.listen(0, '127.0.0.1', resolve));
    return vendor;
  }

  get url(): string {
    const address: AddressInfo | string | null = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const { what, organization, secret, name, id } = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString('utf8')));
    this.asked.push([what, name ?? id].join(' '));
    const end = (status: number, text: string): void => void response.writeHead(status).end(text);
    if (this.refusal !== undefined || this.broken.has(what ?? '')) return end(422, this.refusal ?? 'The service is not available.');
    if (what === 'register') {
      if (organization !== undefined && organization !== ORGANIZATION) return end(404, `Organization ${organization} does not exist.`);
      if (secret !== SECRET)
        return end(422, organization === undefined ? 'Unknown Registration Code.' : 'None of the activation keys specified exist for this org.');
      this.seen.push(...shownBySomebody(SECRET));
      const uuid = `5d1c0f7e-${String(this.systems.size).padStart(4, '0')}-4e6a-${String(this.asked.length).padStart(4, '0')}-aa0123456789`;
      this.systems.set(uuid, name ?? '');
      this.onRegister();
      return end(200, uuid);
    }
    if (what !== 'unregister') return end(200, '');
    return this.systems.delete(id ?? '') ? end(200, '') : end(410, `Unit ${id} has been deleted`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const ASK = (url: string): string => `
import os, sys, urllib.error, urllib.parse, urllib.request

def ask(**words):
    data = urllib.parse.urlencode(words).encode()
    with urllib.request.urlopen('${url}', data, timeout=20) as answer:
        return answer.read().decode()

def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)

def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ''
`;

const SUBSCRIPTION_MANAGER = (url: string): string => `#!/usr/bin/python3
${ASK(url)}
CERT = '/etc/pki/consumer/cert.pem'
LOG = '/var/log/rhsm/rhsm.log'

def leave(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)

def clean():
    for folder in ('/etc/pki/consumer', '/etc/pki/entitlement'):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            os.remove(os.path.join(folder, name))
    if os.path.exists('/etc/yum.repos.d/redhat.repo'):
        os.remove('/etc/yum.repos.d/redhat.repo')

def main():
    command, words = sys.argv[1], dict(word[2:].split('=', 1) for word in sys.argv[2:] if '=' in word)
    identity = read(CERT).strip()
    if command == 'config':
        write('/etc/rhsm/rhsm.conf', read('/etc/rhsm/rhsm.conf') + repr(words) + '\\n')
    elif command == 'register':
        if identity:
            leave(64, 'This system is already registered. Use --force to override')
        if 'activationkey' in words and 'org' not in words:
            leave(64, 'Error: Must provide --org with activation keys.')
        if 'serverurl' in words:
            write('/etc/rhsm/rhsm.conf', read('/etc/rhsm/rhsm.conf') + words['serverurl'] + ' ' + words['baseurl'] + '\\n')
        write(LOG, 'registering ' + words['name'] + '\\n')
        identity = ask(what='register', organization=words['org'], secret=words['activationkey'], name=words['name'])
        write(CERT, identity + '\\n')
        write('/etc/pki/consumer/key.pem', 'key of ' + identity + '\\n')
        write('/etc/pki/entitlement/4711.pem', 'entitlement\\n')
        write('/etc/pki/entitlement/4711-key.pem', 'key\\n')
        write('/etc/yum.repos.d/redhat.repo', '[baseos]\\nenabled = 1\\nsslclientkey = /etc/pki/entitlement/4711-key.pem\\n')
        write('/var/lib/rhsm/cache/written_overrides.json', '{}')
        write(LOG, 'consumer ' + identity + '\\n')
        print('The system has been registered with ID: ' + identity)
        print('The registered system name is: ' + words['name'])
    elif command == 'identity':
        if not identity:
            leave(1, 'This system is not yet registered. Try \\'subscription-manager register --help\\' for more information.')
        print('system identity: ' + identity + '\\nname: localhost\\norg name: ${ORGANIZATION}\\norg ID: ${ORGANIZATION}')
    elif command == 'repos':
        for name in [word.split('=', 1)[1] for word in sys.argv[2:]]:
            if name.startswith('no-'):
                leave(1, "Error: '" + name + "' does not match a valid repository ID. Use \\"subscription-manager repos --list\\" to see valid repositories.")
            ask(what='enable', name=name)
            print("Repository '" + name + "' is enabled for this system.")
    elif command == 'unregister':
        if not identity:
            leave(1, 'This system is currently not registered.')
        ask(what='unregister', id=identity)
        clean()
        print('System has been unregistered.')
    elif command == 'clean':
        clean()
        print('All local data removed')

try:
    main()
except urllib.error.HTTPError as error:
    leave(70, error.read().decode() + ' (HTTP error code ' + str(error.code) + ')')
except urllib.error.URLError:
    leave(70, 'Network error, unable to connect to server. Please see /var/log/rhsm/rhsm.log for more information.')
`;

/** As it has been since it reads a code from standard input; without the file of a token it is one from before. */
const SUSECONNECT = (url: string, old: boolean): string => `#!/usr/bin/python3
${ASK(url)}
CREDENTIALS = '/etc/zypp/credentials.d/SCCcredentials'
OLD = ${old ? 'True' : 'False'}
${old ? '' : 'COMPLAINT = "failed to open token file \'%s\'"'}

def leave(code, text):
    print(text)
    sys.exit(code)

def clean():
    for path in (CREDENTIALS, '/etc/SUSEConnect', '/etc/zypp/services.d/SLES.service'):
        if os.path.exists(path):
            os.remove(path)

def main():
    words, product = sys.argv[1:], None
    def value(name):
        return words[words.index(name) + 1] if name in words else ''
    login = dict(line.split('=', 1) for line in read(CREDENTIALS).splitlines()).get('username', '')
    if '--cleanup' in words:
        clean()
    elif '--de-register' in words:
        if not login:
            leave(69, 'Deregistration failed. Check if the system has been registered using the --status-text option or use the --regcode parameter to register it.')
        ask(what='unregister', id=login[4:])
        clean()
        print('Successfully deregistered system')
    elif '--product' in words:
        ask(what='enable', name=value('--product'))
        print('Successfully registered system')
    else:
        code = value('--regcode')
        if code == '-' and not OLD:
            code = sys.stdin.readline().strip()
        if not code and not value('--url'):
            leave(1, 'Usage: SUSEConnect [options]')
        if value('--url'):
            write('/etc/SUSEConnect', '---\\nurl: ' + value('--url') + '\\n')
        identity = ask(what='register', secret=code or '${SECRET}', name=os.uname().nodename)
        write(CREDENTIALS, 'username=SCC_' + identity + '\\npassword=p4ssw0rd-of-' + identity[:8] + '\\n')
        write('/etc/zypp/services.d/SLES.service', '[SLES]\\nurl=${url}/access/services/1?credentials=SCCcredentials\\n')
        write('/root/.docker/config.json.log', 'nothing of it\\n')
        write('/var/log/suseconnect.log', 'system SCC_' + identity + '\\n')
        print('Successfully registered system')

try:
    main()
except urllib.error.HTTPError as error:
    leave(67, "Error: Registration server returned '" + error.read().decode() + "' (" + str(error.code) + ')')
except urllib.error.URLError as error:
    leave(64, 'Error: Post "https://scc.suse.com/connect/subscriptions/systems": ' + str(error.reason))
`;

/** Installs names that it writes down, where it may; \`slow\` never ends. */
const MANAGER = (allowed: string): string => `#!/bin/sh
for word; do name=$word; done
case " $* " in
  *" install "*)
    ls ${allowed} >/dev/null 2>&1 || { echo 'Error: There are no enabled repositories in "/etc/yum.repos.d".' >&2; exit 1; }
    mkdir -p /usr/share/stand-in
    echo "$name" >/usr/share/stand-in/"$name"
    while [ "$name" = slow ]; do sleep 1; done
    [ "$name" != absent ] || { echo 'Error: Unable to find a match: absent' >&2; exit 1; }
    [ "$name" != keeper ] || cp /etc/pki/consumer/cert.pem /etc/keeper.conf
    ;;
esac
`;

/** The vendors' programs and package managers, as files of a root. */
export function vendorPrograms({ url }: Pick<StandInVendor, 'url'>, options: { readonly oldSuseConnect?: boolean } = {}): RootFile[] {
  return [
    { path: '/usr/local/sbin/subscription-manager', content: SUBSCRIPTION_MANAGER(url), mode: '0755' },
    { path: '/usr/local/sbin/SUSEConnect', content: SUSECONNECT(url, options.oldSuseConnect === true), mode: '0755' },
    { path: '/usr/local/sbin/dnf', content: MANAGER('/etc/pki/entitlement/*.pem'), mode: '0755' },
    { path: '/usr/local/sbin/zypper', content: MANAGER('/etc/zypp/credentials.d/SCCcredentials'), mode: '0755' },
    { path: '/etc/rhsm/rhsm.conf', content: '[server]\nhostname = subscription.rhsm.redhat.com\n', mode: '0644' },
  ];
}
