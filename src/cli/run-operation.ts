import { Events, type Event } from '../base/events.ts';
import { homeFolder, openHome } from '../base/home.ts';
import { realHost } from '../base/host.ts';
import { builtInSettings, loadSettings } from '../base/settings.ts';
import { hostPath } from '../base/types.ts';
import type { Context, OperationKind } from '../operations/operation.ts';
import { loadOperation } from '../operations/registry.ts';
import { parseArguments } from './arguments.ts';
import type { CommandLine } from './command-line.ts';
import { openEventLog } from './event-log.ts';
import { becomeInvoker } from './invoker.ts';
import { interruption } from './interruption.ts';
import { makeProgress } from './progress.ts';
import type { CliProcess } from './run.ts';
import type { Output } from './terminal.ts';
import { makeAttach, makeConsent } from './user.ts';

export interface Invocation {
  readonly argv: readonly string[];
  readonly cli: CliProcess;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** Runs one operation: result on standard output, progress on standard error, events in the log. Returns the exit code. */
export async function runOperation(line: CommandLine, invocation: Invocation): Promise<number> {
  const { argv, cli, stdout, stderr } = invocation;
  await becomeInvoker(cli.env, async () => (await import('../base/process.ts')).hostProcesses);
  const [operation, host] = [await loadOperation(line.command), realHost()];
  const input = parseArguments(operation, line.rest, cli.cwd());
  const home = await openHome(host, homeFolder(host));
  const folder = hostPath(cli.cwd());
  const settings = operation.mendsSettings === true ? builtInSettings(home) : await loadSettings({ host, home, folder });
  await sweep(host, home);

  const { globals } = line;
  const progress = makeProgress({
    output: stderr,
    now: () => performance.now(),
    verbose: globals.verbose,
    quiet: globals.quiet,
    keep: operation.kind === 'job',
  });
  const log = operation.kind === 'job' ? openEventLog(host, home, operation.name) : undefined;
  const sink = (event: Event): void => {
    log?.write(event);
    progress.event(event);
  };
  using stop = interruption((text) => {
    progress.pause();
    stderr.write(`${text}\n`);
    progress.resume();
  });
  const user = { argv, cli, stderr, progress, host, yes: globals.yes, stop };
  const context: Context = {
    host,
    home,
    settings,
    folder,
    events: new Events(operation.name, sink, host),
    signal: stop.signal,
    verbose: globals.verbose,
    consent: makeConsent(user),
    askHidden: async (question, options) => (await import('./hidden-input.ts')).makeAskHidden(user)(question, options),
    standardInput: async (limit) => (await import('./hidden-input.ts')).makeStandardInput(user)(limit),
    attach: makeAttach(user),
    write: (text) => stdout.write(text),
  };
  try {
    const output = await operation.run(input, context);
    progress.close();
    if (globals.json) {
      // What a stream or a terminal session showed is its result.
      if (operation.kind === 'query' || operation.kind === 'job') stdout.write(`${JSON.stringify(output, undefined, 2)}\n`);
    } else {
      const text = operation.render?.(output, { color: stdout.color, width: stdout.width() }) ?? rawResult(operation.kind, output);
      if (text !== '') stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    }
    return operation.exitCode?.(output) ?? 0;
  } catch (error) {
    progress.close();
    throw error;
  } finally {
    await log?.close();
  }
}

function rawResult(kind: OperationKind, output: unknown): string {
  return kind === 'query' || kind === 'job' ? JSON.stringify(output, undefined, 2) : '';
}

/** Removes what killed processes left; the code for it is loaded only where there is something. */
async function sweep(host: Context['host'], home: Context['home']): Promise<void> {
  if ((await host.files.list(home.run)).length === 0) return;
  const { sweepScratch } = await import('../base/scratch.ts');
  await sweepScratch(host, home);
}
