#!/bin/sh
# Made by ingot: run by the medium, which was told of it by script=…
set -eu
nl='
'
use_proxy() { # address
  export http_proxy="$1" https_proxy="$1"
}
prepare_disk() { # device or first, firmware, file system, MiB of swap
  echo "ingot: partitioning"
  disk=$1
  [ "$disk" != first ] || disk=$(lsblk -dnpo NAME,TYPE | awk '$2 == "disk" && $1 !~ /zram/ { print $1; exit }')
  label=dos boot='size=1GiB, type=83, bootable' root='type=83' swap='type=82'
  if [ "$2" = uefi ]; then
    label=gpt boot='size=1GiB, type=uefi' root='type=linux' swap='type=swap'
  fi
  {
    printf 'label: %s\n%s\n' "$label" "$boot"
    [ "$4" = 0 ] || printf 'size=%sMiB, %s\n' "$4" "$swap"
    printf '%s\n' "$root"
  } | sfdisk --wipe always --wipe-partitions always "$disk"
  udevadm settle
  set -- "$2" "$3" "$4" $(lsblk -nrpo NAME,TYPE "$disk" | awk '$2 == "part" { print $1 }')
  firmware=$1 filesystem=$2 swap=$3 first=$4
  shift 4
  if [ "$swap" != 0 ]; then
    mkswap "$1"
    swapon "$1"
    shift
  fi
  "mkfs.$filesystem" "$1"
  if [ "$firmware" = uefi ]; then mkfs.fat -F 32 "$first"; else mkfs.ext4 "$first"; fi
  mount --mkdir "$1" /mnt/archinstall
  mount --mkdir "$first" /mnt/archinstall/boot
}

# The facts.
prepare_disk /dev/vda uefi ext4 512
# End of the facts.

base=$(tr ' ' '\n' < /proc/cmdline | sed -n 's|^script=\(.*\)/[^/]*$|\1|p')
for file in user_configuration.json user_credentials.json finish.sh; do
  curl -fsS --retry 5 -o "/root/$file" "$base/$file"
done
echo "ingot: packages"
archinstall --config /root/user_configuration.json --creds /root/user_credentials.json --silent --skip-version-check
install -m 700 /root/finish.sh /mnt/archinstall/root/finish.sh
arch-chroot /mnt/archinstall sh /root/finish.sh
rm /mnt/archinstall/root/finish.sh
umount -R /mnt/archinstall
echo "ingot: finished"
poweroff
