import { argumentLabel, type InstallerKind } from './kind.ts';

/** Agama, the installer of SUSE Linux 16 and its kin: services, which write little to the console. */
export const agama: InstallerKind = {
  kind: 'agama',
  answerName: 'profile.json',
  media: {
    amd64: [
      { kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd' },
      { kernel: 'boot/x86_64/linux', initrd: 'boot/x86_64/initrd' },
    ],
    arm64: [
      { kernel: 'boot/aarch64/loader/linux', initrd: 'boot/aarch64/loader/initrd' },
      { kernel: 'boot/aarch64/linux', initrd: 'boot/aarch64/initrd' },
    ],
  },
  memory: 4 * 2 ** 30,
  arguments: ({ label }) => ['rd.kiwi.live.overlay.persistent=0', ...(label === undefined ? [] : [`root=live:CDLABEL=${argumentLabel(label)}`])],
  stages: [
    { stage: 'partitioning', pattern: /Partitioning|Preparing the storage|Activating storage/i },
    { stage: 'packages', pattern: /Installing (packages|software)|Installing \S+ \(\d+/i },
    { stage: 'finishing', pattern: /Writing (the )?bootloader|Finishing|Install(ation)? (finished|complete)|Power down|reboot: /i },
  ],
  prompts: [/\[(y|Y)\/(n|N)\]:? ?$/m],
  failures: [
    { pattern: /(profile|config).*(does not match|not valid|validation failed)/i, code: 'answers-refused', message: 'The installer does not take the profile' },
    {
      pattern: /Registration (failed|error)|Unknown Registration Code|Invalid registration code/i,
      code: 'subscription-refused',
      message: 'The registration was refused',
      hint: 'Check the registration code.',
    },
  ],
};
