import type { InstallerKind } from './kind.ts';

/** debian-installer, whose text front end (DEBIAN_FRONTEND=text) says on the console what it does, and asks there. */
export const preseed: InstallerKind = {
  kind: 'preseed',
  answerName: 'preseed.cfg',
  media: {
    amd64: [
      { kernel: 'install.amd/vmlinuz', initrd: 'install.amd/initrd.gz' },
      { kernel: 'linux', initrd: 'initrd.gz' },
      { kernel: 'boot/isolinux/linux', initrd: 'boot/isolinux/initrd.gz' },
    ],
    arm64: [
      { kernel: 'install.a64/vmlinuz', initrd: 'install.a64/initrd.gz' },
      { kernel: 'linux', initrd: 'initrd.gz' },
    ],
  },
  memory: 2 ** 30,
  // On a serial console it would start GNU screen, whose status line tells the time each minute: a machine that waits would never be still.
  arguments: () => ['DEBIAN_FRONTEND=text', 'TERM=dumb'],
  stages: [
    { stage: 'partitioning', pattern: /Starting up the partitioner|Partitions formatting|Partition disks|partman/i },
    { stage: 'packages', pattern: /Installing the base system|Retrieving \S+ \d|Select and install software|base-installer|pkgsel/i },
    { stage: 'finishing', pattern: /Finishing the installation|finish-install|The system is going down|Power down/i },
  ],
  prompts: [/Prompt: .*'\?' for help/, /<Go Back>|<Continue>/, /\[Press enter to continue\]/i],
  failures: [
    {
      pattern: /Failed to retrieve the preconfiguration file|preconfiguration file .*could not be/i,
      code: 'answers-refused',
      message: 'The installer could not read its preseed file',
    },
    { pattern: /An installation step failed/i, code: 'install-failed', message: 'A step of the installer failed' },
    {
      pattern: /No root file system is defined|The attempt to mount a file system .*failed/i,
      code: 'install-failed',
      message: 'The disk was not partitioned as the preseed file wants',
    },
  ],
};
