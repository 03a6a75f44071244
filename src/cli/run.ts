import { IngotError, toIngotError } from '../base/errors.ts';
import { REGISTRY } from '../operations/registry.ts';
import { readCommandLine } from './command-line.ts';
import { errorDocument, renderError } from './errors.ts';
import { outputOf, type Output } from './terminal.ts';

/** What the CLI uses of the process. */
export type CliProcess = Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd'>;

/** Runs a command line and returns its exit code. Never throws. */
export async function run(argv: readonly string[], cli: CliProcess): Promise<number> {
  const stdout = outputOf(cli.stdout, cli.env);
  const stderr = outputOf(cli.stderr, cli.env);
  quietOnBrokenPipe(cli);
  const own = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined);
  const json = own.includes('--json');
  const verbose = own.includes('--verbose') || own.includes('-v');
  try {
    return await dispatch(argv, cli, stdout, stderr);
  } catch (error) {
    stderr.write(json ? errorDocument(error) : renderError(error, { color: stderr.color, width: stderr.width(), verbose }));
    return toIngotError(error).exitCode;
  } finally {
    await Promise.all([drained(cli.stdout), drained(cli.stderr)]);
  }
}

async function dispatch(argv: readonly string[], cli: CliProcess, stdout: Output, stderr: Output): Promise<number> {
  const names = Object.keys(REGISTRY);
  const line = readCommandLine(argv, names);
  if (line.version) {
    const { ingotVersion } = await import('./version.ts');
    stdout.write(`${ingotVersion()}\n`);
    return 0;
  }
  if (!line.complete || line.globals.help) {
    const { helpFor } = await import('./help-pages.ts');
    const asked = line.globals.help || line.command === '';
    const output = asked ? stdout : stderr;
    output.write(await helpFor(line.command, { color: output.color, width: Math.min(output.width(), 100) }));
    if (asked) return 0;
    throw new IngotError('usage', 'command-incomplete', `"ingot ${line.command}" needs one of the commands above`);
  }
  const { runOperation } = await import('./run-operation.ts');
  return runOperation(line, { argv, cli, stdout, stderr });
}

/** Ends without a word when the reader of the output has gone (`ingot … | head`). */
function quietOnBrokenPipe(cli: CliProcess): void {
  for (const stream of [cli.stdout, cli.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
