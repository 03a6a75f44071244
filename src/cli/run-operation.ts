import type { JobEnd } from '../base/alerts.ts';
import { toIngotError } from '../base/errors.ts';
import { Events, type Event } from '../base/events.ts';
import { homeAt, homeFolder, openHome, type Home } from '../base/home.ts';
import { realHost, type Host } from '../base/host.ts';
import { logLine, openLog } from '../base/log.ts';
import { builtInSettings, loadSettings } from '../base/settings.ts';
import { hostPath } from '../base/types.ts';
import type { Context, OperationKind } from '../operations/operation.ts';
import { loadOperation, type AnyOperation } from '../operations/registry.ts';
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
  const start = performance.now();
  const input = await readInput(operation, line, invocation, host);
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
  const eventLog = operation.kind === 'job' ? openEventLog(host, home, operation.name) : undefined;
  const log = openLog(host, home, { operation: operation.name, level: settings['log-level'], atOnce: operation.kind === 'query' });
  using _fatal = logUncaught(host, home, operation.name);
  if (operation.kind !== 'query') log.write('info', 'started');
  const sink = (event: Event): void => {
    eventLog?.write(event);
    log.event(event);
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
  if (operation.kind === 'job') await tellLost(context);
  const alert = async (end: Pick<JobEnd, 'error' | 'exitCode'>): Promise<void> => {
    if (operation.kind !== 'job') return;
    const { alertOfEnd } = await import('../base/alerts.ts');
    await alertOfEnd(context, { operation: operation.name, seconds: secondsSince(start), ...end });
  };
  try {
    const output = await operation.run(input, context).catch(async (error: unknown) => {
      await alert({ error });
      throw error;
    });
    const exitCode = operation.exitCode?.(output) ?? 0;
    await alert({ exitCode });
    progress.close();
    if (globals.json) {
      // What a stream or a terminal session showed is its result.
      if (operation.kind === 'query' || operation.kind === 'job') stdout.write(`${JSON.stringify(output, undefined, 2)}\n`);
    } else {
      const text =
        operation.render?.(output, { color: stdout.color, width: stdout.isTerminal ? stdout.width() : Number.POSITIVE_INFINITY }) ??
        rawResult(operation.kind, output);
      if (text !== '') stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    }
    log.write('info', 'ended', { exitCode, seconds: secondsSince(start) });
    return exitCode;
  } catch (error) {
    progress.close();
    const { code, exitCode, message, class: errorClass } = toIngotError(error);
    log.write(errorClass === 'internal' ? 'fatal' : 'error', message, { code, exitCode, seconds: secondsSince(start) });
    throw error;
  } finally {
    await eventLog?.close();
    await log.close();
  }
}

/** The operation's input. What is wrong with it is logged where there is a home already: a mistyped command makes none. */
async function readInput(operation: AnyOperation, line: CommandLine, { cli }: Invocation, host: Host): Promise<ReturnType<typeof parseArguments>> {
  try {
    return parseArguments(operation, line.rest, cli.cwd());
  } catch (error) {
    const home = homeAt(homeFolder(host));
    if ((await host.files.status(home.version)) !== undefined) {
      const { code, exitCode } = toIngotError(error);
      const log = openLog(host, home, { operation: operation.name, level: 'error', atOnce: true });
      // Not the sentence: it repeats words of the command line, and one of them may be a secret that stands in the wrong place.
      log.write('error', 'called with mistakes', { code, exitCode });
      await log.close();
    }
    throw error;
  }
}

/** What nobody catches ends the process at once: it is written while there is time. */
function logUncaught(host: Host, home: Home, operation: string): Disposable {
  const write = (error: unknown): void => {
    const { code, message } = toIngotError(error);
    try {
      process.getBuiltinModule('node:fs').appendFileSync(home.log, `${logLine(host, operation, 'fatal', message, { code, exitCode: 1 })}\n`);
    } catch {
      // The process ends, and says why on standard error.
    }
  };
  process.on('uncaughtExceptionMonitor', write);
  return { [Symbol.dispose]: () => void process.off('uncaughtExceptionMonitor', write) };
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000;
}

function rawResult(kind: OperationKind, output: unknown): string {
  return kind === 'query' || kind === 'job' ? JSON.stringify(output, undefined, 2) : '';
}

/** Tells what builds that were killed have left elsewhere; the code for it is loaded only where there is something. */
async function tellLost({ host, home, events }: Pick<Context, 'host' | 'home' | 'events'>): Promise<void> {
  if ((await host.files.list(home.registrations)).length === 0) return;
  const { leftAtVendor, tellLostRegistrations } = await import('../base/registrations.ts');
  await tellLostRegistrations({ host, home }, (record) => {
    const { message, hint } = leftAtVendor(record);
    events.message('warn', `A build was killed, and ${message}. ${hint}`);
  });
}

/** Removes what killed processes left; the code for it is loaded only where there is something. */
async function sweep(host: Context['host'], home: Context['home']): Promise<void> {
  if ((await host.files.list(home.run)).length === 0) return;
  const { sweepScratch } = await import('../base/scratch.ts');
  await sweepScratch(host, home);
}
