import type { AnswerKind } from '../answers/answers.ts';
import { agama } from './agama.ts';
import { archinstall } from './archinstall.ts';
import { autoinstall } from './autoinstall.ts';
import { autoyast } from './autoyast.ts';
import { kickstart } from './kickstart.ts';
import type { InstallerKind } from './kind.ts';
import { preseed } from './preseed.ts';
import { setupAlpine } from './setup-alpine.ts';

/** Every installer that can be run unattended. */
export const INSTALLERS: Readonly<Record<AnswerKind, InstallerKind>> = {
  autoinstall,
  kickstart,
  preseed,
  autoyast,
  agama,
  archinstall,
  'setup-alpine': setupAlpine,
};
