import type { SeedContent } from '../../platforms/local/seed.ts';

/** Where ingot's own files are in a guest that is booted for a step: in memory. */
export const BOOTED_FOLDER = '/run/ingot';
/** Where ingot's own SSH server listens in it. */
export const BOOTED_PORT = 22_022;
/** Address that QEMU's user network forwards to. */
const ADDRESS = '10.0.2.15/24';

const SERVER = `Port ${BOOTED_PORT}
HostKey ${BOOTED_FOLDER}/host_key
AuthorizedKeysFile ${BOOTED_FOLDER}/authorized_keys
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers root
StrictModes no
UsePAM yes
UseDNS no
PrintMotd no
PrintLastLog no
MaxSessions 100
`;

/** $1 is the key that may log in, $2 the server's configuration. */
const START = `
mkdir -p ${BOOTED_FOLDER} /run/sshd
mount -t tmpfs -o mode=0711,nosuid,nodev tmpfs ${BOOTED_FOLDER}
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /run/sshd
umask 077
printf '%s\\n' "$1" >${BOOTED_FOLDER}/authorized_keys
printf '%s' "$2" >${BOOTED_FOLDER}/sshd_config
ssh-keygen -q -t ed25519 -N '' -f ${BOOTED_FOLDER}/host_key
if [ ! -e /etc/ssh/ssh_host_ed25519_key ]; then ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; fi
for path in /sys/class/net/*/device; do
  [ -e "$path" ] || continue
  card=$(basename "$(dirname "$path")")
  ip link set "$card" up
  ip address add ${ADDRESS} dev "$card" 2>/dev/null || true
  break
done
systemd-run --no-block --collect --quiet --unit ingot-sshd -p DefaultDependencies=no -p KillMode=process /usr/sbin/sshd -D -f ${BOOTED_FOLDER}/sshd_config
`;

/**
 * A seed with which cloud-init does one thing: it starts an SSH server of ingot's own, whose configuration and keys are in memory. No user is made,
 * no file of the image's own server, of root or of the machine's name is touched, and what the template says of sshd or the network shuts nobody
 * out. The image's own server gets a host key too, as it would at any first boot; the seal removes it.
 */
export function bootedSeed(name: string, publicKey: string): SeedContent {
  const config = {
    cloud_init_modules: ['bootcmd'],
    cloud_config_modules: [],
    cloud_final_modules: [],
    bootcmd: [['sh', '-ec', START, 'sh', publicKey.trim(), SERVER]],
  };
  return { userData: `#cloud-config\n${JSON.stringify(config)}\n`, metaData: `${JSON.stringify({ 'instance-id': name })}\n` };
}
