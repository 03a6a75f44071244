#!/bin/sh
# Made by ingot: run once, in the system of the medium.
set -eu
cd /etc/ingot
INSTALL_DISK=$(for disk in /dev/vda /dev/sda /dev/xvda /dev/nvme0n1; do [ ! -b "$disk" ] || { echo "$disk"; break; }; done)
export INSTALL_DISK
. ./answers
echo "ingot: partitioning"
setup-alpine -e -f /etc/ingot/answers
for part in "$ERASE_DISKS"*[0-9]; do root=$part; done
echo "ingot: packages"
mount "$root" /mnt
for folder in dev proc sys; do mount --bind "/$folder" "/mnt/$folder"; done
cp /etc/resolv.conf /mnt/etc/resolv.conf
chroot /mnt apk add $INGOT_PACKAGES
cp finish.sh /mnt/root/finish.sh
chroot /mnt sh /root/finish.sh
rm /mnt/root/finish.sh
for folder in sys proc dev; do umount "/mnt/$folder"; done
umount /mnt
echo "ingot: finished"
poweroff
