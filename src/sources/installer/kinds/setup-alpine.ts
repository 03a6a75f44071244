import type { InstallerKind } from './kind.ts';

/** setup-alpine, run by the live system of Alpine's media. */
export const setupAlpine: InstallerKind = {
  kind: 'setup-alpine',
  answerName: 'answers',
  media: {
    amd64: [
      { kernel: 'boot/vmlinuz-virt', initrd: 'boot/initramfs-virt' },
      { kernel: 'boot/vmlinuz-lts', initrd: 'boot/initramfs-lts' },
    ],
    arm64: [
      { kernel: 'boot/vmlinuz-virt', initrd: 'boot/initramfs-virt' },
      { kernel: 'boot/vmlinuz-lts', initrd: 'boot/initramfs-lts' },
    ],
  },
  memory: 2 ** 30,
  arguments: () => ['modules=loop,squashfs,sd-mod,usb-storage'],
  stages: [
    { stage: 'partitioning', pattern: /Creating (partitions|file systems)|Initializing partitions/i },
    { stage: 'packages', pattern: /Installing system on|\(\d+\/\d+\) Installing/ },
    { stage: 'finishing', pattern: /Installation is complete|The system is going down|Power down/i },
  ],
  prompts: [/localhost login: *$/m, /\[[^\]]*\] *$/m, /\(y\/n\) *\[?\w?\]? *$/m],
  failures: [{ pattern: /ERROR: unable to select packages|setup-disk: (error|failed)/i, code: 'install-failed', message: 'setup-alpine failed' }],
};
