import type { InstallerKind } from './kind.ts';

/** YaST, told by an AutoYaST profile. */
export const autoyast: InstallerKind = {
  kind: 'autoyast',
  answerName: 'autoinst.xml',
  media: {
    amd64: [{ kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd' }],
    arm64: [{ kernel: 'boot/aarch64/linux', initrd: 'boot/aarch64/initrd' }],
  },
  memory: 2 * 2 ** 30,
  arguments: () => [],
  stages: [
    { stage: 'partitioning', pattern: /Preparing disks?|Formatting partition|Creating (partition|file ?system)/i },
    { stage: 'packages', pattern: /Installing Packages|Performing Installation|Downloading \S+ \(|Installing \S+ \(/i },
    { stage: 'finishing', pattern: /Installing boot ?loader|Finish(ing)? (basic )?installation|Power down|reboot: /i },
  ],
  prompts: [/\[(OK|Next|Yes|Retry|Abort)\]/, /Main Menu/, /^> ?$/m],
  failures: [
    {
      pattern: /(XML|profile).*(validation|parse|parser) (error|failed)|not a valid AutoYaST|Error while parsing the control file/i,
      code: 'answers-refused',
      message: 'The installer does not take the AutoYaST profile',
    },
    {
      pattern:
        /Unknown Registration Code|Registration (failed|error)|subscription.*(expired|not found)|Invalid registration code|Connection to registration server failed/i,
      code: 'subscription-refused',
      message: 'The registration was refused',
      hint: 'Check the registration code.',
    },
    { pattern: /Not enough (free )?(disk )?space|disk is full/i, code: 'install-no-space', message: 'The disk is too small for what is installed' },
  ],
};
