import { argumentLabel, type InstallerKind } from './kind.ts';

/** Anaconda in text mode: Fedora, Red Hat Enterprise Linux and its kin. */
export const kickstart: InstallerKind = {
  kind: 'kickstart',
  answerName: 'ks.cfg',
  media: {
    amd64: [
      { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' },
      { kernel: 'isolinux/vmlinuz', initrd: 'isolinux/initrd.img' },
    ],
    arm64: [{ kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img' }],
  },
  memory: 3 * 2 ** 30,
  // The second stage of the installer is on the medium, where there is one.
  arguments: ({ label, repository }) => [
    'inst.text',
    ...(label === undefined ? [] : [`inst.stage2=hd:LABEL=${argumentLabel(label)}`]),
    ...(label === undefined && repository !== undefined ? [`inst.repo=${repository}`] : []),
  ],
  stages: [
    { stage: 'partitioning', pattern: /Creating disklabel|Setting up the installation environment|Creating \w+ on \/dev/i },
    { stage: 'packages', pattern: /Starting package installation|Preparing transaction|Installing \S+ \(\d+\/\d+\)/i },
    { stage: 'finishing', pattern: /Performing post-installation|Installing boot loader|Running post-installation scripts|Installation complete|Power down/i },
  ],
  prompts: [
    /Please make a selection from the above/,
    /Please respond '(yes|no)'/i,
    /Press (ENTER|enter|\[?Enter\]?) to (continue|quit|exit)/,
    /\[anaconda.*\] ?$/m,
  ],
  failures: [
    {
      pattern: /error was found while parsing the kickstart|kickstart file.*(error|invalid)|Unknown command: /i,
      code: 'answers-refused',
      message: 'The installer does not take the kickstart file',
    },
    {
      pattern:
        /Failed to register the system|activation keys? .*(not|none|invalid)|Invalid (username|credentials|organization|activation)|Registration failed/i,
      code: 'subscription-refused',
      message: 'The registration was refused',
      hint: 'Check the organization and the activation key.',
    },
    {
      pattern: /Error setting up (base repository|software source)|Failed to set up installation source/i,
      code: 'install-failed',
      message: 'The installer found no packages',
    },
    { pattern: /An unknown error has occurred|Traceback \(most recent call last\)/, code: 'install-failed', message: 'The installer failed' },
    { pattern: /not enough (free )?space|Not enough space in file systems/i, code: 'install-no-space', message: 'The disk is too small for what is installed' },
  ],
};
