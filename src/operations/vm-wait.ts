import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatDuration, parseName } from '../base/types.ts';
import { waitForGoal, type WaitGoal } from '../platforms/local/wait.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput, waitSecondsInput } from './vm-input.ts';

const GOALS = ['ssh', 'cloud-init', 'port', 'command'] as const;

const inputSchema = z.object({
  name: vmNameInput,
  command: z.array(z.string()).default([]).describe('The command that has to succeed, and its words, after --').meta({ positional: true }),
  for: z.enum(GOALS).optional().describe('What to wait for; default: what --port or a command says, else ssh'),
  port: z.int().min(1).max(65_535).optional().describe('A TCP port of the guest on which something has to listen').meta({ placeholder: 'PORT' }),
  timeout: waitSecondsInput,
});

export default defineOperation({
  name: 'vm wait',
  summary: 'Wait until a virtual machine is ready',
  description:
    'For a login (ssh), for the end of cloud-init, for something that listens on a port of the guest, or for a command that ends with exit code 0 there. All but the first begin with a login. Ends at once where the machine ends, or where cloud-init has failed, with what it said.',
  kind: 'job',
  input: inputSchema,
  output: z.object({ name: z.string(), for: z.enum(GOALS), seconds: z.number() }),
  examples: [
    { command: 'ingot vm wait web', does: 'waits until one can log in' },
    { command: 'ingot vm wait web --for cloud-init', does: 'waits until cloud-init is done, and fails where that did' },
    { command: 'ingot vm wait web --for port --port 80 --timeout 60', does: 'waits a minute at most for something that listens on port 80' },
    { command: 'ingot vm wait web --for command -- test -e /run/ready', does: 'waits for a command to succeed' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const goal = goalOf(input);
    return { name, for: goal.kind, seconds: await waitForGoal(context, name, goal, input.timeout) };
  },
  render: (result) => `${result.name} is ready (${result.for}) after ${formatDuration(result.seconds)}.`,
});

function goalOf({ for: kind, port, command }: z.output<typeof inputSchema>): WaitGoal {
  const goal = kind ?? (port !== undefined ? 'port' : command.length > 0 ? 'command' : 'ssh');
  if (goal !== 'port' && port !== undefined) throw unfitting(`--port belongs to --for port, not to --for ${goal}`);
  if (goal !== 'command' && command.length > 0) throw unfitting(`A command belongs to --for command, not to --for ${goal}`);
  if (goal === 'port') {
    if (port === undefined) throw unfitting('--for port needs --port', 'Such as --for port --port 80.');
    return { kind: goal, port };
  }
  if (goal === 'command') {
    if (command.length === 0) throw unfitting('--for command needs a command', 'It comes after --, such as -- test -e /run/ready.');
    return { kind: goal, argv: command };
  }
  return { kind: goal };
}

function unfitting(message: string, hint?: string): IngotError {
  return new IngotError('usage', 'wait-unfitting', message, hint === undefined ? {} : { hint });
}
