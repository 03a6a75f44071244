import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';

const [STATUS, RESULT] = ['--- status', '--- result'];

/**
 * Tells how far cloud-init is, and prints the files in which it says so itself. `cloud-init status` reads the same, but takes a minute of an
 * emulated processor for it. The result is written at its very end.
 */
export const CLOUD_INIT_SCRIPT = [
  'cd /run/cloud-init 2>/dev/null || cd /',
  'if ! command -v cloud-init >/dev/null 2>&1; then echo missing',
  'elif [ -e disabled ]; then echo disabled',
  'elif [ -e result.json ]; then echo done',
  'elif systemctl is-failed -q cloud-final.service 2>/dev/null; then echo crashed',
  'else echo running; fi',
  `echo '${STATUS}'; cat status.json 2>/dev/null`,
  `echo; echo '${RESULT}'; cat result.json 2>/dev/null; exit 0`,
].join('\n');

const stageSchema = z.object({
  errors: z.array(z.unknown()).default([]),
  /** Since version 23.4: level of the log -> messages. */
  recoverable_errors: z.record(z.string(), z.array(z.unknown())).default({}),
});
const statusSchema = z.object({ v1: z.looseObject({ stage: z.string().nullish() }) });
const resultSchema = z.object({ v1: z.object({ errors: z.array(z.unknown()) }) });

/** Levels of the log that mean no failure: what is only to be written otherwise in the future. */
const HARMLESS = ['DEPRECATED', 'INFO', 'DEBUG'];

/** How far cloud-init is, and what it has to say. */
export interface CloudInitState {
  readonly status: 'running' | 'done' | 'failed' | 'missing';
  readonly text: string;
  /** What went wrong, in cloud-init's words. */
  readonly errors: readonly string[];
}

/** Reads what the script wrote. What cloud-init itself calls `degraded`, warnings that did not stop it, is a failure too. */
export function readCloudInit(output: string): CloudInitState {
  const word = output.trim().split('\n')[0] ?? '';
  const status = statusSchema.safeParse(parseJson(between(output, STATUS, RESULT)));
  const result = resultSchema.safeParse(parseJson(between(output, RESULT)));
  const stages = status.success ? Object.values(status.data.v1).map((stage) => stageSchema.safeParse(stage)) : [];
  const found = [
    ...(result.success ? result.data.v1.errors : []),
    ...stages.flatMap(({ data }) => [
      ...(data?.errors ?? []),
      ...Object.entries(data?.recoverable_errors ?? {}).flatMap(([level, messages]) => (HARMLESS.includes(level) ? [] : messages)),
    ]),
  ];
  const errors = [...new Set(found.map(String))];
  if (word === 'missing') return { status: word, text: 'it is not installed', errors: [] };
  if (word === 'disabled') return { status: 'failed', text: 'it is disabled', errors };
  if (word === 'crashed') return { status: 'failed', text: 'its last stage ended without a result', errors };
  if (word === 'done') return errors.length > 0 ? { status: 'failed', text: 'it had errors', errors } : { status: word, text: 'it is done', errors };
  const stage = status.success ? status.data.v1.stage : undefined;
  return { status: 'running', text: stage === undefined || stage === null ? 'it is between two stages' : `it is in its stage ${stage}`, errors };
}

function between(text: string, from: string, to?: string): string {
  const start = text.indexOf(from);
  const end = to === undefined ? -1 : text.indexOf(to);
  return start === -1 ? '' : text.slice(start + from.length, end === -1 ? undefined : end);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
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
