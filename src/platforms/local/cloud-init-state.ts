import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';

const MARK = '--- result';

/**
 * Asks cloud-init how far it is: its status in full once it has written its result, which it does at its end, and the result. Its own program
 * takes seconds under emulation: it is not asked before.
 */
export const CLOUD_INIT_SCRIPT = [
  'command -v cloud-init >/dev/null 2>&1 || { echo "status: missing"; exit 0; }',
  '[ -e /run/cloud-init/result.json ] || [ -e /run/cloud-init/disabled ] || { echo "status: running"; exit 0; }',
  'cloud-init status --long 2>&1',
  `echo; echo '${MARK}'`,
  'cat /run/cloud-init/result.json 2>/dev/null; exit 0',
].join('\n');

const resultSchema = z.object({ v1: z.object({ errors: z.array(z.unknown()) }) });

/** How far cloud-init is, and what it has to say. */
export interface CloudInitState {
  readonly status: 'running' | 'done' | 'failed' | 'missing';
  readonly text: string;
  /** What went wrong, in cloud-init's words. */
  readonly errors: readonly string[];
}

/** Reads what the script wrote. cloud-init says `error` for what stopped it; `degraded` (since 24.1) for what did not, and is as good as an error here. */
export function readCloudInit(output: string): CloudInitState {
  const at = output.indexOf(MARK);
  const [long, result] = at === -1 ? [output, ''] : [output.slice(0, at), output.slice(at + MARK.length)];
  // Debian 13's prints dots in front while it waits.
  const field = (name: string): string | undefined => new RegExp(`^\\.*${name}: *(.*)$`, 'm').exec(long)?.[1];
  const status = field('status') ?? 'unknown';
  const extended = field('extended_status') ?? status;
  const text = `its status is ${extended}`;
  const errors = errorsOf(result);
  if (status === 'missing') return { status: 'missing', text: 'it is not installed', errors: [] };
  if (status === 'disabled') return { status: 'failed', text: 'it is disabled', errors: [] };
  if (status === 'error' || extended.startsWith('degraded') || (status === 'done' && errors.length > 0)) {
    return { status: 'failed', text, errors: errors.length > 0 ? errors : [long.trim()] };
  }
  return { status: status === 'done' ? 'done' : 'running', text, errors: [] };
}

function errorsOf(result: string): string[] {
  try {
    const parsed = resultSchema.safeParse(JSON.parse(result));
    return parsed.success ? parsed.data.v1.errors.map(String) : [];
  } catch {
    return [];
  }
}

/** The error for a cloud-init that will not come to a good end. */
export function cloudInitFailure(name: string, state: CloudInitState): IngotError {
  if (state.status === 'missing') {
    return new IngotError('host', 'cloud-init-missing', `${name} has no cloud-init`, { hint: 'Wait for something else: --for ssh, --for command.' });
  }
  return new IngotError('command', 'cloud-init-failed', `cloud-init on ${name} did not end well: ${state.text}`, {
    hint: `Look at \`ingot vm exec ${name} -- sudo cat /var/log/cloud-init.log /var/log/cloud-init-output.log\`.`,
    ...(state.errors.length === 0 ? {} : { detail: state.errors.join('\n') }),
  });
}
