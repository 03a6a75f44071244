/*
 * What runs in the guest, as root, through its agent. Python is what cloud-init is written in, so that it is in every image with cloud-init.
 * Before the state is saved, `SETTLE` waits for the end of the boot, and `WAIT` takes the guest out of use and waits at a named pipe, with all
 * that it needs in memory: a clone gets its identity without starting a program. See docs/warm-start.md.
 */

/** Where the scripts have their files, in the guest; in memory. */
export const GUEST_FOLDER = '/run/ingot-warm';
/** Named pipe for the identity, as JSON: {@link GuestIdentity}. */
export const IDENTITY_PIPE = `${GUEST_FOLDER}/identity`;
/** Names of the private host keys as JSON; there as soon as somebody waits at the pipe. */
export const WAITING_FILE = `${GUEST_FOLDER}/waiting`;

/** What a clone is told about itself. */
export interface GuestIdentity {
  readonly hostname: string;
  /** For cloud-init, and as what the firmware tells: a UUID. */
  readonly instanceId: string;
  /** 32 hexadecimal digits. */
  readonly machineId: string;
  readonly mac: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Hexadecimal; the first 64 bytes are credited as random, the rest is for systemd's seed file. */
  readonly random: string;
  /** Private and public host keys by the names of their files in /etc/ssh. */
  readonly hostKeys: Readonly<Record<string, string>>;
}

/** Waits until nothing is being started any more; prints what keeps the guest from being used, or nothing. */
export const SETTLE = `
import os, subprocess, sys, time
def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True).stdout.strip()
status = run('cloud-init', 'status', '--wait')
if 'error' in status:
    sys.exit('cloud-init failed in it: ' + run('cloud-init', 'status', '--long'))
if os.path.isdir('/run/systemd/system'):
    run('systemctl', 'is-system-running', '--wait')
`;

/**
 * Takes the guest out of use, and waits for the identity; ends when SSH is being opened with it. Its one argument is the address of the network
 * card. The network's own daemon stands still meanwhile: it would give the address up when that of the card changes, and its names for servers are
 * made from the machine-id that it read when it started.
 */
export const WAIT = `
import ctypes, fcntl, glob, json, os, re, signal, socket, struct, subprocess, sys, time
FOLDER, PIPE, WAITING = '${GUEST_FOLDER}', '${IDENTITY_PIPE}', '${WAITING_FILE}'
OLD_MAC = sys.argv[1].lower()
SYSTEMD = os.path.isdir('/run/systemd/system')
libc = ctypes.CDLL(None, use_errno=True)
def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0: raise RuntimeError(' '.join(words) + ': ' + done.stdout.strip())
    return done.stdout
def read(path):
    try:
        with open(path, encoding='utf-8', errors='surrogateescape') as file: return file.read()
    except OSError: return None
def write(path, text):
    # In place: it may be a link, or what is mounted there.
    with open(path, 'w', encoding='utf-8', errors='surrogateescape') as file: file.write(text)
def change(path, before, after, word=False):
    text = read(path)
    if text is None or before == '' or before.lower() not in text.lower(): return
    edges = r'(?<![\\w.-])%s(?![\\w.-])' if word else '%s'
    write(path, re.sub(edges % re.escape(before), lambda match: after, text, flags=re.IGNORECASE))
def units(kind):
    listed = run('systemctl', 'list-units', '--type=' + kind, '--state=active', '--no-legend', '--plain')
    return [line.split()[0] for line in listed.splitlines() if line.strip()]
def interface():
    for path in glob.glob('/sys/class/net/*/address'):
        if (read(path) or '').strip() == OLD_MAC: return path.split('/')[4]
    raise RuntimeError('there is no network card with the address ' + OLD_MAC)
def files_with_mac():
    found = []
    for top in ('/etc', '/run/systemd/network', '/run/NetworkManager', '/run/netplan', '/run/udev/rules.d'):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path) and OLD_MAC in (read(path) or '').lower(): found.append(path)
    return found

card = interface()
with_mac = files_with_mac()
old_instance = (read('/var/lib/cloud/data/instance-id') or '').strip()
old_host = socket.gethostname()
old_machine = (read('/etc/machine-id') or '').strip()
host_keys = sorted(os.path.basename(path) for path in glob.glob('/etc/ssh/ssh_host_*_key'))
told = [path for path in glob.glob('/run/cloud-init/*.json') + ['/var/lib/cloud/data/previous-hostname', '/var/lib/cloud/data/set-hostname'] if os.path.exists(path)]
if SYSTEMD:
    ssh = [unit for unit in units('socket') + units('service') if unit in ('ssh.socket', 'sshd.socket', 'ssh.service', 'sshd.service')]
    timers = units('timer')
    # A timer that was due while the state lay around would start its work at once.
    if timers: run('systemctl', 'stop', *timers)
    for stamp in glob.glob('/var/lib/systemd/timers/stamp-*'): os.remove(stamp)
    sockets = [unit for unit in ssh if unit.endswith('.socket')]
    # A server that stands still lets nobody in, and reads its keys anew when it is told to while it does: two programs less to start.
    servers = [] if sockets else [int(run('systemctl', 'show', '--property=MainPID', '--value', unit)) for unit in ssh]
    if sockets: run('systemctl', 'stop', *ssh)
    for server in servers: os.kill(server, signal.SIGSTOP)
    networkd = 'systemd-networkd.service' in units('service')
    # Stopped in its work: where it ends, it takes the addresses with it.
    if networkd: run('systemctl', 'kill', '--signal=STOP', 'systemd-networkd.service')
else:
    ssh, sockets, servers, timers, networkd = ['sshd'], [], [], [], False
    run('rc-service', 'sshd', 'stop')
if not ssh: sys.exit('no SSH server runs in it')
os.makedirs(FOLDER, mode=0o700, exist_ok=True)
if not os.path.exists(PIPE): os.mkfifo(PIPE, 0o600)

def adopt(told_me):
    time.clock_settime(time.CLOCK_REALTIME, told_me['time'])
    random = bytes.fromhex(told_me['random'])
    # RNDADDENTROPY and RNDRESEEDCRNG (random(4)): else it would use the state's random numbers for up to a minute.
    with open('/dev/urandom', 'wb', buffering=0) as device:
        fcntl.ioctl(device, 0x40085203, struct.pack('ii64s', 512, 64, random[:64]))
        fcntl.ioctl(device, 0x5207, 0)
    if os.path.exists('/var/lib/systemd/random-seed'):
        with open('/var/lib/systemd/random-seed', 'wb') as file: file.write(random[64:])
    name, instance = told_me['hostname'], told_me['instanceId']
    socket.sethostname(name)
    write('/etc/hostname', name + '\\n')
    for path in ['/etc/hosts'] + told: change(path, old_host, name, word=True)
    write('/etc/machine-id', told_me['machineId'] + '\\n')
    if os.path.exists('/var/lib/dbus/machine-id'): write('/var/lib/dbus/machine-id', told_me['machineId'] + '\\n')
    if os.path.isdir('/var/log/journal/' + old_machine): os.rename('/var/log/journal/' + old_machine, '/var/log/journal/' + told_me['machineId'])
    for path in told: change(path, old_instance, instance)
    if old_instance and os.path.isdir('/var/lib/cloud/instances/' + old_instance):
        os.rename('/var/lib/cloud/instances/' + old_instance, '/var/lib/cloud/instances/' + instance)
        os.remove('/var/lib/cloud/instance')
        os.symlink('/var/lib/cloud/instances/' + instance, '/var/lib/cloud/instance')
        for file in ('instance-id', 'previous-instance-id'): write('/var/lib/cloud/data/' + file, instance + '\\n')
    for key in host_keys:
        for path in ('/etc/ssh/' + key, '/etc/ssh/' + key + '.pub'):
            if os.path.basename(path) not in told_me['hostKeys'] and os.path.exists(path): os.remove(path)
    for file, text in told_me['hostKeys'].items(): write('/etc/ssh/' + file, text)
    for path in with_mac: change(path, OLD_MAC, told_me['mac'])
    change_mac(told_me['mac'])
    # What the kernel has read of the firmware is of the machine that was saved, until the next boot.
    uuid = '/sys/class/dmi/id/product_uuid'
    if os.path.exists(uuid):
        write(FOLDER + '/product_uuid', instance + '\\n')
        os.chmod(FOLDER + '/product_uuid', 0o400)
        libc.mount((FOLDER + '/product_uuid').encode(), os.path.realpath(uuid).encode(), None, 4096, None)
    os.sync()

def change_mac(mac):
    notify = '/proc/sys/net/ipv4/conf/%s/arp_notify' % card
    before = read(notify)
    # Others on its network learn the new address.
    write(notify, '1')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8924, struct.pack('16sH14s', card.encode(), 1, bytes.fromhex(mac.replace(':', ''))))
    write(notify, before or '0')
    # IPv6 makes addresses of it, and makes them anew when it is turned on.
    off = '/proc/sys/net/ipv6/conf/%s/disable_ipv6' % card
    if (read(off) or '').strip() == '0':
        for value in '10': write(off, value)

def open_ssh():
    for server in servers:
        os.kill(server, signal.SIGHUP)
        os.kill(server, signal.SIGCONT)
    if sockets: run('systemctl', 'start', '--no-block', *sockets)
    if not SYSTEMD: run('rc-service', 'sshd', 'start')

def rest():
    if networkd: subprocess.run(['systemctl', 'restart', '--no-block', 'systemd-networkd.service'])
    if timers: subprocess.run(['systemctl', 'start', '--no-block'] + timers)

write(WAITING, json.dumps(host_keys))
with open(PIPE) as pipe: identity = json.load(pipe)
adopt(identity)
open_ssh()
if os.fork() == 0:
    os.setsid()
    for number in (0, 1, 2): os.dup2(os.open(os.devnull, os.O_RDWR), number)
    for path in (PIPE, WAITING): os.remove(path)
    time.sleep(5)
    os.nice(19)
    rest()
os._exit(0)
`;
