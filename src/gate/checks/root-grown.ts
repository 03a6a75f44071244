import type { GateCheck } from '../check.ts';

/* The gate's disk is larger than the image's. Sizes of /sys are in sectors of 512 bytes; what a table and alignment leave at the end of a disk is some MiB. */
export const rootGrown: GateCheck = {
  name: 'root-grown',
  holds: "The root's partition has grown to the end of its disk, and its file system with it.",
  where: 'guest',
  script: `
source=$(awk '$5 == "/" { source = $(NF - 1) } END { print source }' /proc/self/mountinfo)
device=/sys/class/block/$(basename "$(readlink -f "$source")")
[ -e "$device/size" ] || device=/sys/dev/block/$(mountpoint -d /)
size=$(cat "$device/size")
# A logical volume lies in others.
for part in "$device" "$device"/slaves/*; do
  [ -e "$part/partition" ] || continue
  left=$(( $(cat "$(readlink -f "$part")/../size") - $(cat "$part/start") - $(cat "$part/size") ))
  [ "$left" -lt 131072 ] || echo "the root's partition ends $(( left / 2048 )) MiB before its disk does"
done
if [ -d "$device/dm" ] && command -v vgs >/dev/null; then
  free=$(vgs --noheadings --nosuffix --units k --options vg_free | awk '{ printf "%.0f", $1 }')
  [ "$free" -lt "$(( size / 20 ))" ] || echo "the root's volume group has $free KiB which its root does not use"
fi
blocks=$(df -k -P / | awk 'NR == 2 { print $2 }')
[ "$blocks" -ge "$(( size / 2 * 9 / 10 ))" ] || echo "the root file system has $blocks KiB, and what it is on $(( size / 2 ))"
`,
};
