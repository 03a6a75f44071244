/*
 * The two first programs of the helper VM. Plain text, part of its key.
 */

/** Names of the virtio-serial ports: the helper's requests and answers, and the user's shell. */
export const HELPER_PORT = 'ingot.helper';
export const SHELL_PORT = 'ingot.shell';

/** Where the helper is in the VM's root. */
export const HELPER_INSIDE = '/usr/lib/ingot/helper.mjs';
export const INIT_INSIDE = '/usr/lib/ingot/init';
/** Mount points and small files of workspaces. */
export const FOLDER_INSIDE = '/run/ingot';
/** Said at the end of a shell, before its exit code and a line end. */
export const SHELL_END = '\u001Eingot-exit ';

/** The first: loads modules, then mounts the real root, read-only. */
export const FIRST_INIT = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
while read -r module; do $b insmod "/modules/$module" || echo "ingot: $module was not loaded"; done </modules/order
n=0
until [ -b /dev/vda ]; do
  n=$((n + 1))
  [ "$n" -lt 300 ] || { echo "ingot: the root disk did not appear"; $b poweroff -f; }
  $b usleep 20000
done
$b mount -t ext4 -o ro,noatime /dev/vda /root || { echo "ingot: the root disk cannot be mounted"; $b poweroff -f; }
for name in proc sys dev; do $b mount --move "/$name" "/root/$name"; done
exec $b switch_root /root ${INIT_INSIDE}
`;

/**
 * The second: runs the helper on its port until that ends, and then the machine does. Beside it, shells for the user on another port:
 * each gets one line, the command, and a terminal.
 */
export const INIT = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm ${FOLDER_INSIDE} /run/lock /run/lvm
mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# Folders that are provided later are to be seen in workspaces that are open already.
mount --make-rshared /
ln -s /proc/self/fd /dev/fd
busybox hostname ingot
busybox ip link set lo up
port() {
  for each in /sys/class/virtio-ports/*; do
    if [ "$(cat "$each/name")" = "$1" ]; then echo "/dev/\${each##*/}"; fi
  done
}
shells() {
  while :; do
    if IFS= read -r command; then
      script --quiet --flush --return --command "$command" /dev/null
      printf '\\036ingot-exit %s\\n' "$?"
    else
      sleep 0.5
    fi
  done
}
shell_port=$(port ${SHELL_PORT})
shells <>"$shell_port" >&0 2>&1 &
helper_port=$(port ${HELPER_PORT})
node ${HELPER_INSIDE} <>"$helper_port" >&0
echo "ingot: the helper ended with code $?"
busybox poweroff -f
`;

/** What the system needs that packages' scripts would have made. */
export const PLAIN_FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n',
  'etc/hostname': 'ingot\n',
  'etc/hosts': '127.0.0.1 localhost ingot\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};
/** Empty folders of the root, where something is mounted or written. */
export const PLAIN_FOLDERS = ['dev', 'proc', 'sys', 'run', 'tmp', 'mnt', 'root'];
