import type { InstallerKind } from './kind.ts';

/** Ubuntu's installer of servers (subiquity, curtin). */
export const autoinstall: InstallerKind = {
  kind: 'autoinstall',
  answerName: 'user-data',
  media: {
    amd64: [
      { kernel: 'casper/vmlinuz', initrd: 'casper/initrd' },
      { kernel: 'casper/hwe-vmlinuz', initrd: 'casper/hwe-initrd' },
    ],
    arm64: [{ kernel: 'casper/vmlinuz', initrd: 'casper/initrd' }],
  },
  memory: 3 * 2 ** 30,
  arguments: () => ['fsck.mode=skip'],
  stages: [
    { stage: 'partitioning', pattern: /curtin install partitioning step|block-meta|configuring disk/i },
    { stage: 'packages', pattern: /curtin install extract step|acquiring and extracting image|curthooks/i },
    { stage: 'finishing', pattern: /final system configuration|subiquity\/Late|subiquity\/Shutdown|Power down/i },
  ],
  prompts: [/Continue with autoinstall\? \(yes\|no\)/, /Press enter to (start a shell|continue)/i, /\[ (Done|Continue) +\]/],
  failures: [
    {
      pattern: /Malformed autoinstall|autoinstall config.*(invalid|did not validate)|Validation of .*autoinstall/i,
      code: 'answers-refused',
      message: 'The installer does not take the autoinstall file',
    },
    {
      pattern: /An error occurred\. Press enter to start a shell|install_fail|Sorry, there was a problem completing the installation/i,
      code: 'install-failed',
      message: 'The installer failed',
    },
    { pattern: /(attach|ua|pro).*(Invalid token|invalid-token)/i, code: 'subscription-refused', message: 'Ubuntu Pro refused the token' },
  ],
};
