import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { HostPath } from '../../base/types.ts';
import { STAGE_TEXTS } from './kinds/kind.ts';
import type { Installation } from './run.ts';
import type { InstallWatch, Verdict } from './watch.ts';

/** Where one can see what an installation did. */
export interface Evidence {
  readonly installation: Installation;
  readonly logs: HostPath;
  readonly watch: InstallWatch;
  /** Takes a picture of the screen and says where it is; undefined where that was not possible. */
  picture(name: string): Promise<HostPath | undefined>;
}

const TAIL_LINES = 25;

/** The error of an installation that cannot go on, with the end of its console and a picture of its screen. */
export async function installFailure(verdict: Verdict, evidence: Evidence): Promise<IngotError> {
  const { installation, watch } = evidence;
  const { name } = installation;
  const detail = evidenceText(evidence, await evidence.picture('failure'));
  switch (verdict.kind) {
    case 'asks':
      return new IngotError('usage', 'install-asks', `The installer of ${name} asks a question, while it was ${STAGE_TEXTS[watch.stage]}`, {
        hint: `Have the answer file (${installation.kind.answerName}) answer it. The question is at the end of the console, and in the picture.`,
        detail,
      });
    case 'failed': {
      const { failure, line } = verdict;
      return new IngotError(
        failure.code === 'install-no-space' ? 'space' : 'command',
        failure.code,
        `${failure.message}, installing ${name}: ${line.slice(0, 200)}`,
        {
          ...(failure.hint === undefined ? {} : { hint: failure.hint }),
          detail,
        },
      );
    }
    case 'timeout':
      return new IngotError(
        'timeout',
        'install-timeout',
        `The installer of ${name} made no progress for ${verdict.seconds} s, while it was ${STAGE_TEXTS[verdict.stage]}`,
        {
          hint:
            verdict.stage === 'kernel'
              ? 'Does the machine reach its network, and does this installer take its answers by these arguments?'
              : 'Look at the picture of the screen: it may wait for somebody.',
          detail,
        },
      );
  }
}

/** What the installer said last, and where the rest of it is. */
export function evidenceText({ logs, watch }: Evidence, picture?: HostPath): string {
  return [
    `The end of the console:\n${watch.tail(TAIL_LINES)}`,
    ...(picture === undefined ? [] : [`The screen: ${picture}`]),
    `All of the console: ${join(logs, 'console.log')}`,
  ].join('\n');
}
