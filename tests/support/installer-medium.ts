import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeScratch } from '../../src/base/scratch.ts';
import { biosBootImages } from '../../src/disk/grub.ts';
import { planDisk } from '../../src/disk/layout.ts';
import type { Context } from '../../src/operations/operation.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import { openPlace } from '../../src/workspace/place.ts';
import { openThrowAway } from '../../src/workspace/throw-away.ts';
import { cpioArchive, type CpioEntry } from '../../src/workspace/vm/cpio.ts';
import { loadOrder, modinfoDepends, moduleName } from '../../src/workspace/vm/kernel-modules.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';
import { writeIso } from './iso.ts';

/*
 * An installer of the test's own, since no vendor's can be fetched where tests run: Debian's kernel, and an initrd that fetches a preseed file, does what it says of
 * disk, user and hostname, unpacks the system that is on the medium, installs GRUB and goes off. What it lacks an answer for, it asks.
 */

const MIB = 2 ** 20;
const UUID = '77777777-2222-4333-8444-555555555555';

/** Drivers of the machine that it is run in: disk, card, drive, and the file systems of both. */
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_net', 'ahci', 'sr_mod', 'isofs', 'ext4', 'crc32c_generic', 'crc32c_intel'];

const INIT = String.raw`#!/bin/busybox sh
b=/bin/busybox
export PATH=/bin:/sbin LD_LIBRARY_PATH=/lib
$b --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" || echo "installer: $module was not loaded"; done </modules/order
n=0
until [ -b /dev/vda ] && [ -b /dev/sr0 ]; do n=$((n + 1)); [ "$n" -lt 600 ] || break; usleep 100000; done

# On the serial console, and on the screen.
say() { for to in /dev/console /dev/tty1; do printf "$@" >"$to"; done; }
fail() { say 'An installation step failed: %s\n' "$1"; sleep 100000; }
url=$(sed -n 's/.*url=\([^ ]*\).*/\1/p' /proc/cmdline)
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
n=0
until wget -q -O /preseed.cfg "$url"; do
  n=$((n + 1))
  [ "$n" -lt 20 ] || fail "Failed to retrieve the preconfiguration file"
  sleep 1
done
# From here on, the screen is the installer's.
dmesg -n 1
printf '\033[2J\033[HThe installer of a test\n\n' >/dev/tty1
say 'The preconfiguration file was fetched.\n'

# An answer of the file; what it does not say is asked, as the text front end of debconf does.
answer() {
  value=$(sed -n "s#^d-i $1 [a-z]* \(.*\)#\1#p" /preseed.cfg)
  if [ -z "$value" ]; then
    say "!! Configuration: %s\nPrompt: '?' for help> " "$2"
    read -r value </dev/console
  fi
}
answer netcfg/get_hostname 'Hostname'
hostname=$value
answer passwd/username 'Username for your account'
user=$value
answer passwd/user-password-crypted 'Password'
password=$value
answer partman-auto/disk 'Disk to partition'
disk=$value

say 'Starting up the partitioner\n'
echo 'label: dos
start=2048, type=83, bootable' | /programs/sfdisk --quiet "$disk" || fail "sfdisk"
n=0
until [ -b "$disk"1 ]; do n=$((n + 1)); [ "$n" -lt 100 ] || fail "no partition"; usleep 100000; done
/programs/mke2fs -q -F -t ext4 -U ${UUID} "$disk"1 || fail "mke2fs"
mkdir -p /target /cdrom
mount -t ext4 "$disk"1 /target || fail "mount"
mount -t iso9660 -o ro /dev/sr0 /cdrom || fail "the medium cannot be mounted"

say 'Installing the base system\n'
tar -xf /cdrom/rootfs.tar -C /target || fail "tar"
echo "UUID=${UUID} / ext4 defaults 0 1" >/target/etc/fstab
echo "$hostname" >/target/etc/hostname
echo "$disk" >/target/etc/installed-on
chroot /target /usr/sbin/useradd --create-home --shell /bin/bash --password "$password" "$user" || fail "useradd"

say 'Installing GRUB boot loader\n'
dd if=/cdrom/boot.img of="$disk" bs=440 count=1 conv=notrunc 2>/dev/null || fail "boot.img"
dd if=/cdrom/core.img of="$disk" bs=512 seek=1 conv=notrunc 2>/dev/null || fail "core.img"
say 'Finishing the installation\n'
umount /target || fail "umount"
sync
poweroff -f
`;

/** Modules of GRUB that are in its first part. */
const GRUB = [
  'biosdisk',
  'part_msdos',
  'ext2',
  'search',
  'search_fs_uuid',
  'normal',
  'configfile',
  'linux',
  'boot',
  'echo',
  'test',
  'serial',
  'terminal',
  'gzio',
  'zstd',
];

export interface InstallerMedium {
  readonly iso: string;
  /** What starts it over the network. */
  readonly kernel: string;
  readonly initrd: string;
}

/**
 * Fetches the generic kernel, since the one of images for clouds knows no CD drive, and busybox; takes out of them what is needed, into a folder ($1): of 4000 modules those
 * few that may be loaded.
 */
const PACKAGES = String.raw`
cd "$1"
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
apt-get download "$kernel" busybox-static >&2
mkdir -p tree modules
at=./lib/modules/*/kernel
dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x -C tree --wildcards './boot/vmlinuz-*' "$at/drivers/virtio/*" "$at/drivers/block/virtio_blk.ko" \
  "$at/drivers/net/*_failover.ko" "$at/drivers/net/virtio_net.ko" "$at/net/core/*" "$at/drivers/ata/*" "$at/drivers/scsi/*" "$at/drivers/cdrom/*" \
  "$at/fs/isofs/*" "$at/fs/ext4/*" "$at/fs/jbd2/*" "$at/fs/mbcache.ko" "$at/lib/*" "$at/crypto/*" "$at/arch/x86/crypto/*"
dpkg-deb --fsys-tarfile busybox-static*.deb | tar -x -C tree --wildcards '*/bin/busybox'
rm ./*.deb
mv tree/boot/vmlinuz-* vmlinuz
find tree -name '*.ko' -exec mv -t modules {} +
find tree -name busybox -exec mv {} . \;
rm -r tree
`;

/**
 * Makes the installer of an image of the store, and of Debian's packages, in a folder. What it is made of stays there, so that a folder that is kept gives it again
 * within seconds. Throws where the packages cannot be fetched.
 */
export async function makeInstallerMedium(context: Context, image: string, folder: string, info: string): Promise<InstallerMedium> {
  const parts = join(folder, 'parts');
  const whole = join(parts, 'whole');
  if (!existsSync(whole)) {
    await rm(parts, { recursive: true, force: true });
    await mkdir(parts, { recursive: true });
    await makeParts(context, image, parts);
    await writeFile(whole, '');
  }
  return await packMedium(folder, info);
}

async function makeParts(context: Context, image: string, parts: string): Promise<void> {
  const { host, home } = context;
  const found = await openStore(host, home).resolve(image);
  await using scratch = await makeScratch(host, home, 'test');
  await using place = await openPlace(context, { kind: 'host', scratch: scratch.path });
  const size = found.config['dev.ingot.image'].disk.size;
  await host.processes.run(['sh', '-ec', PACKAGES, 'sh', parts], { timeout: 600 });
  await using workspace = await openThrowAway(context, place, { chain: layerPaths(home, found), size, scratch: scratch.path });
  await takeOut(workspace, parts, { gid: host.machine.gid, uid: host.machine.uid });
}

/** Packs what is in the folder's `parts`. */
export async function packMedium(folder: string, info: string): Promise<InstallerMedium> {
  const at = (name: string): string => join(folder, name);
  const [kernel, initrd] = [at('parts/vmlinuz'), at('initrd')];
  await writeFile(initrd, await initialRamDisk(at('parts')));
  const medium: Record<string, string | { readonly file: string }> = {
    '.disk/info': info,
    'install.amd/vmlinuz': { file: kernel },
    'install.amd/initrd.gz': { file: initrd },
    'boot.img': { file: at('parts/boot.img') },
    'core.img': { file: at('parts/core.img') },
    'rootfs.tar': { file: at('parts/rootfs.tar') },
  };
  await writeIso(at('installer.iso'), 'MINI', medium);
  return { iso: at('installer.iso'), kernel, initrd };
}

/** Copies what the medium is made of out of the opened image. */
async function takeOut({ executor, root }: Workspace, folder: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  const plan = planDisk({ size: 4096 * MIB, filesystem: 'ext4', arch: 'amd64', seed: 'test' });
  const gap = { number: 1, name: 'gap', type: '', uuid: '', start: 512, size: MIB - 512 };
  const images = await biosBootImages(root, { platform: 'i386-pc', modules: GRUB }, { ...plan, filesystemUuid: UUID, biosBoot: gap });
  await writeFile(join(folder, 'boot.img'), Buffer.from(images.masterBootRecord, 'base64'));
  await writeFile(join(folder, 'core.img'), Buffer.from(images.core, 'base64'));
  const script = `
sed -i -E 's#(root=UUID=|fs-uuid --set=root )[0-9a-f-]+#\\1${UUID}#' "$1/boot/grub/grub.cfg"
mkdir -p "$2/lib" "$2/bin"
for program in usr/sbin/sfdisk usr/sbin/mke2fs; do
  cp -L "$1/$program" "$2/bin/"
  chroot "$1" ldd "/$program" | grep -oE '/[^ ]+' | while read -r library; do cp -L "$1/$library" "$2/lib/"; done
done
rm -rf "$1"/usr/share/doc "$1"/usr/share/locale
tar --one-file-system -C "$1" -cf "$2/rootfs.tar" .
chown -R "$3" "$2"
`;
  await executor.run(['sh', '-ec', script, 'sh', root.path, folder, `${uid}:${gid}`], { timeout: 900 });
}

async function initialRamDisk(parts: string): Promise<Buffer> {
  const found = new Map((await readdir(join(parts, 'modules'))).map((name) => [moduleName(name), join(parts, 'modules', name)]));
  const order = await loadOrder(MODULES, async (name) => {
    const path = found.get(name);
    return path === undefined ? undefined : { path, depends: modinfoDepends(await readFile(path)) };
  });
  const folder = (path: string): CpioEntry => ({ path, mode: 0o755 });
  const file = async (path: string, from: string, mode: number): Promise<CpioEntry> => ({ path, mode, data: await readFile(from) });
  const libraries = await readdir(join(parts, 'lib'));
  return cpioArchive([
    ...['bin', 'sbin', 'lib', 'lib64', 'programs', 'dev', 'proc', 'sys', 'modules'].map(folder),
    { path: 'init', mode: 0o755, data: Buffer.from(INIT) },
    await file('bin/busybox', join(parts, 'busybox'), 0o755),
    // In a folder of their own: busybox prefers its own of the same name, which make no ext4.
    ...(await Promise.all(['sfdisk', 'mke2fs'].map((name) => file(`programs/${name}`, join(parts, 'bin', name), 0o755)))),
    // The dynamic loader is looked for where programs name it.
    ...(await Promise.all(libraries.map((name) => file(`${name.startsWith('ld-linux') ? 'lib64' : 'lib'}/${name}`, join(parts, 'lib', name), 0o755)))),
    { path: 'modules/order', mode: 0o644, data: Buffer.from(order.map((path) => `${moduleName(path)}.ko\n`).join('')) },
    ...(await Promise.all(order.map((path) => file(`modules/${moduleName(path)}.ko`, path, 0o644)))),
  ]);
}
