import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { quoteCommand } from '../base/process.ts';
import type { Context } from '../operations/operation.ts';
import type { Interruption } from './interruption.ts';
import type { Progress } from './progress.ts';
import type { CliProcess } from './run.ts';
import type { Output } from './terminal.ts';

/** What is needed to talk with the user in the middle of an operation. */
export interface UserAccess {
  readonly argv: readonly string[];
  readonly cli: CliProcess;
  readonly stderr: Output;
  readonly progress: Progress;
  readonly host: Host;
  readonly yes: boolean;
  readonly stop: Interruption;
}

/** The same command line, with --yes in front of the words that belong to another program. */
export function agreeingCommand(argv: readonly string[], env: NodeJS.ProcessEnv): string {
  const end = argv.indexOf('--');
  const words = end === -1 ? [...argv, '--yes'] : [...argv.slice(0, end), '--yes', ...argv.slice(end)];
  return quoteCommand([env['INGOT_COMMAND'] ?? 'ingot', ...words]);
}

/** Whether somebody is there to be asked. */
export function someoneThere({ cli, stderr }: Pick<UserAccess, 'cli' | 'stderr'>): boolean {
  return cli.stdin.isTTY === true && stderr.isTerminal;
}

/** {@link Context.consent} of the CLI. */
export function makeConsent(user: UserAccess): Context['consent'] {
  return async (question) => {
    if (user.yes) {
      user.progress.pause();
      user.stderr.write(`${question} yes (--yes)\n`);
      user.progress.resume();
      return true;
    }
    if (!someoneThere(user)) {
      throw new IngotError('usage', 'consent-needed', `Nobody is there to answer: ${question}`, {
        hint: `To agree beforehand, run: ${agreeingCommand(user.argv, user.cli.env)}`,
      });
    }
    user.progress.pause();
    const { createInterface } = await import('node:readline/promises');
    const reader = createInterface({ input: user.cli.stdin, output: user.cli.stderr });
    try {
      const answer = await reader.question(`${question} [y/N] `, { signal: user.stop.signal });
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      reader.close();
      user.progress.resume();
    }
  };
}

/** {@link Context.attach} of the CLI: the program inherits the terminal, or pipes where there is none. */
export function makeAttach(user: UserAccess): Context['attach'] {
  return async (argv, options = {}) => {
    const { cli } = user;
    user.progress.pause();
    user.stop.handedOver = true;
    try {
      const kept = Object.fromEntries(
        ['TERM', 'COLORTERM', 'HOME', 'USER', 'LOGNAME'].flatMap((name) => (cli.env[name] === undefined ? [] : [[name, cli.env[name]]])),
      );
      const running = user.host.processes.spawn(argv, { env: { ...kept, ...options.env }, stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' });
      const { exitCode, signal } = await running.ended;
      if (running.pid === undefined) {
        throw new IngotError('host', 'command-missing', `The program ${argv[0]} is not installed`, { hint: 'Run `ingot setup` to install what is missing.' });
      }
      const { constants } = await import('node:os');
      return exitCode ?? 128 + (Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 1);
    } finally {
      user.stop.handedOver = false;
      user.progress.resume();
    }
  };
}
