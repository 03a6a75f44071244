import { argumentLabel, type InstallerKind } from './kind.ts';

/** Arch Linux's live system, which runs a script that runs archinstall. */
export const archinstall: InstallerKind = {
  kind: 'archinstall',
  answerName: 'user_configuration.json',
  media: {
    amd64: [{ kernel: 'arch/boot/x86_64/vmlinuz-linux', initrd: 'arch/boot/x86_64/initramfs-linux.img' }],
    arm64: [],
  },
  memory: 2 * 2 ** 30,
  arguments: ({ label }) => ['archisobasedir=arch', ...(label === undefined ? [] : [`archisolabel=${argumentLabel(label)}`])],
  stages: [
    { stage: 'partitioning', pattern: /Starting device modifications|Creating partition|Formatting \/dev/i },
    { stage: 'packages', pattern: /Installing packages|pacstrap|Waiting for (time sync|automatic mirror)/i },
    { stage: 'finishing', pattern: /Adding bootloader|Installation completed without any errors|Power down|reboot: /i },
  ],
  prompts: [/Would you like to continue\?/i, /\[Y\/n\] ?$/m, /Press Enter to continue/i],
  failures: [
    { pattern: /archinstall.*error: |Traceback \(most recent call last\)/, code: 'install-failed', message: 'archinstall failed' },
    { pattern: /JSONDecodeError|Invalid (config|configuration)/, code: 'answers-refused', message: 'archinstall does not take its configuration' },
  ],
};
