import type { DiskLayout } from '../../disk/layout.ts';
import { lvmDevice } from '../../disk/lvm-layout.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { RootFile } from '../../workspace/guest-root.ts';

const SWAP_FILE = '/swapfile';
const SWAP_UNIT = 'ingot-swap.service';
const GROW_UNIT = 'ingot-grow-root.service';

/**
 * The swap file is made by the first boot, once the root has grown, so that it takes nothing of the image. btrfs swaps to
 * files without copy-on-write only. A file that was left half-made has another name.
 */
const SWAP_SCRIPT = `#!/bin/sh
# Makes the swap file where there is none, and uses it. $1: its path, $2: its bytes.
set -e
if [ ! -e "$1" ]; then
  rm -f "$1.new"
  (umask 077 && : >"$1.new")
  if [ "$(stat -f -c %T "$1.new")" = btrfs ]; then chattr +C "$1.new"; fi
  fallocate -l "$2" "$1.new" || dd if=/dev/zero of="$1.new" bs=1M count="$(($2 / 1048576))" status=none
  mkswap "$1.new" >/dev/null
  mv "$1.new" "$1"
fi
swapon "$1"
`;

/** Grows partition, physical volume, logical volume and file system to the disk: what cloud-init does for a plain partition. */
const GROW_SCRIPT = `#!/bin/sh
# Grows the root on its logical volume to the size of the disk. $1: the volume's device.
set -e
partition=$(lvs --noheadings --options devices "$1" | sed 's/^ *//; s/(.*//' | head -n 1)
name=\${partition#/dev/}
disk=/dev/$(basename "$(dirname "$(readlink -f "/sys/class/block/$name")")")
# It ends with 1 where there is nothing to grow.
growpart "$disk" "$(cat "/sys/class/block/$name/partition")" || [ $? -eq 1 ]
pvresize -q "$partition"
if [ "$(vgs --noheadings --options vg_free_count "$(lvs --noheadings --options vg_name "$1" | tr -d ' ')" | tr -d ' ')" -gt 0 ]; then
  lvextend -q --extents +100%FREE "$1"
fi
case "$(findmnt --noheadings --output FSTYPE /)" in
  ext4) resize2fs "$1" ;;
  xfs) xfs_growfs / ;;
  btrfs) btrfs filesystem resize max / ;;
esac
`;

function unit(description: string, after: string, command: string, stop?: string): string {
  return `[Unit]
Description=${description}
After=${after}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${command}
${stop === undefined ? '' : `ExecStop=${stop}\n`}
[Install]
WantedBy=multi-user.target
`;
}

/** Programs and units for what only a running machine can do: grow a logical volume, make the swap file. */
export function firstBootFiles(disk: DiskLayout): RootFile[] {
  const files: RootFile[] = [];
  if (disk.lvm !== undefined) {
    files.push(
      { path: '/usr/lib/ingot/grow-root', content: GROW_SCRIPT, mode: '0755' },
      {
        path: `/etc/systemd/system/${GROW_UNIT}`,
        content: unit('Grow the root to the disk', 'local-fs.target', `/usr/lib/ingot/grow-root ${lvmDevice(disk.lvm)}`),
        mode: '0644',
      },
    );
  }
  if (disk.swap !== undefined) {
    const after = ['cloud-init.service', 'cloud-init-network.service', ...(disk.lvm === undefined ? [] : [GROW_UNIT])].join(' ');
    files.push(
      { path: '/usr/lib/ingot/swap-file', content: SWAP_SCRIPT, mode: '0755' },
      {
        path: `/etc/systemd/system/${SWAP_UNIT}`,
        content: unit('Swap file', after, `/usr/lib/ingot/swap-file ${SWAP_FILE} ${disk.swap}`, `-/sbin/swapoff ${SWAP_FILE}`),
        mode: '0644',
      },
    );
  }
  return files;
}

/** Switches on the units of {@link firstBootFiles}. */
export function firstBootCommands(disk: DiskLayout): GuestCommand[] {
  const units = [...(disk.lvm === undefined ? [] : [GROW_UNIT]), ...(disk.swap === undefined ? [] : [SWAP_UNIT])];
  return units.length === 0 ? [] : [{ label: 'services', argv: ['systemctl', 'enable', ...units] }];
}
