import { join } from 'node:path';
import { IngotError } from '../../../base/errors.ts';
import type { Span } from '../../../base/events.ts';
import { quoteCommand, type Argv } from '../../../base/process.ts';
import { findProgram } from '../../../base/programs.ts';
import type { HostPath } from '../../../base/types.ts';
import type { Context } from '../../../operations/operation.ts';
import { findPacker } from './find-packer.ts';
import { readEvent } from './machine-readable.ts';

export interface PackerRun {
  /** The folder with the project, in which it runs. */
  readonly folder: HostPath;
  /** Where it may put what it needs meanwhile. */
  readonly scratch: HostPath;
  /** `-only`, as it takes it. */
  readonly only: readonly string[];
  /** `-var`: name=value. */
  readonly variables: readonly string[];
  /** Values of variables by the environment, which the project's own files win over. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Hidden in what it prints. */
  readonly secrets: readonly string[];
}

/** What a build has made. */
export interface PackerArtifact {
  /** `qemu.web`. */
  readonly build: string;
  readonly builder: string;
  /** As Packer names them, relative to the folder. */
  readonly files: readonly string[];
}

/** How many lines of what Packer said an error shows. */
const TAIL_LINES = 25;

/**
 * Runs `packer build`, and shows what it says as it comes. Packer, its plugins and its QEMU are one tree of processes, which ends with ingot, however that
 * ends. Throws `packer-missing`, `packer-old`, `packer-failed`, `packer-no-build`, `interrupted`.
 */
export async function runPacker(context: Context, run: PackerRun, span: Span): Promise<PackerArtifact[]> {
  const { host, home, signal } = context;
  const packer = await findPacker(host);
  await host.files.makeDirectory(join(run.scratch, 'tmp'));
  await host.files.makeDirectory(home.packerCache);
  const only = run.only.length === 0 ? [] : [`-only=${run.only.join(',')}`];
  const argv: Argv = [packer.path, 'build', '-machine-readable', '-color=false', ...only, ...run.variables.flatMap((each) => ['-var', each]), '.'];
  const artifacts = new Map<string, { build: string; builder: string; files: string[] }>();
  const [tail, errors]: [string[], string[]] = [[], []];
  const say = (text: string, stream: 'stdout' | 'stderr'): void => {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    tail.push(...lines);
    tail.splice(0, tail.length - TAIL_LINES);
    for (const line of lines) span.output(`${line}\n`, stream);
  };
  const onLine = (line: string, stream: 'stdout' | 'stderr'): void => {
    const event = stream === 'stdout' ? readEvent(line) : undefined;
    if (event === undefined) {
      // Messages before it has understood that a machine reads them.
      if (stream === 'stderr' || !/^\d+,/.test(line)) say(line, stream);
      return;
    }
    if (event.kind === 'artifact') {
      const key = `${event.build} ${event.index}`;
      const known = artifacts.get(key) ?? { build: event.build, builder: '', files: [] };
      artifacts.set(key, { ...known, builder: event.builder ?? known.builder, files: event.file === undefined ? known.files : [...known.files, event.file] });
      return;
    }
    say(event.text, event.kind === 'error' ? 'stderr' : 'stdout');
    if (event.kind === 'error') errors.push(event.text.trim());
    else if (event.kind === 'say') span.progress(0, undefined, 'items', stepOf(event.text));
  };
  const command = await asOneTree(context, argv);
  const env = { ...environment(host.env), ...run.defaults, PACKER_CACHE_DIR: home.packerCache, TMPDIR: join(run.scratch, 'tmp') };
  try {
    await host.processes.run(command, { cwd: run.folder, env, signal, secrets: run.secrets, onLine });
  } catch (error) {
    // Ctrl-C reaches Packer from the terminal as well, and may end it first.
    if (signal.aborted) throw new IngotError('interrupted', 'interrupted', 'Stopped while Packer was running', { cause: error });
    if (!(error instanceof IngotError) || error.code !== 'command-failed') throw error;
    const said = errors
      .findLast((text) => text !== '')
      ?.split('\n')
      .find((line) => line.trim() !== '' && !COUNT_OF_ERRORS.test(line));
    throw new IngotError(
      'command',
      'packer-failed',
      `Packer ${packer.version} failed${said === undefined ? '' : `: ${withoutMarks(said).replace(/^\* /, '').replace(/[.:]$/, '')}`}`,
      {
        detail: `$ ${quoteCommand(argv)}\n${tail.join('\n')}`,
        hint: hintFor(tail.join('\n')),
      },
    );
  }
  // It builds nothing, and ends well, where no build is called so.
  if (artifacts.size === 0 && run.only.length > 0) {
    throw new IngotError('usage', 'packer-no-build', `Packer has built nothing by the name ${run.only.join(', ')}`, {
      hint: 'Builds are named after their sources: for `source "qemu" "web"`, --only qemu.web.',
    });
  }
  return [...artifacts.values()];
}

/** What stands above errors that are listed. */
const COUNT_OF_ERRORS = /^(Error: )?\d+ error\(s\) occurred:?\s*$/;

/** What a line like `==> qemu.web: Waiting for SSH to become available...` says. */
function stepOf(text: string): string {
  return (
    withoutMarks(text)
      .replace(/\.{3}$/, '')
      .split('\n')[0]
      ?.slice(0, 100) ?? ''
  );
}

/** Without the arrow and the name of the build before it. */
function withoutMarks(text: string): string {
  return text
    .trim()
    .replace(/^(=+|-+)>\s*/, '')
    .replace(/^[\w-]+\.[\w-]+:\s*/, '');
}

function hintFor(said: string): string {
  if (/packer init|missing plugins|unknown (source|builder|provisioner)/i.test(said))
    return 'Packer 1.7 and later fetches its plugins first: `packer init plugins/` in the project.';
  if (/Error downloading|unable to download|download failed/i.test(said))
    return 'Give another medium: --var iso_url=…, and --var iso_checksum=… where its list cannot be fetched. `--from-image` needs none.';
  if (/required_plugins/.test(said)) return 'Packer before 1.7 does not know required_plugins: move that block into a folder of its own.';
  if (/ssh/i.test(said)) return 'Look at the machine with `-var headless=false`; ssh_timeout is how long it may take.';
  return '`packer validate` tells what is wrong in a project without building it.';
}

/**
 * A namespace of processes: when its first one is gone the kernel ends all of them, plugins and QEMU too. Packer alone could be ended, and leave them
 * behind. Elsewhere than on Linux it cleans up by itself where it can.
 */
async function asOneTree({ host, events }: Context, argv: Argv): Promise<Argv> {
  if (host.machine.platform !== 'linux') return argv;
  const bwrap = await findProgram(host, 'bwrap');
  if (bwrap === undefined) {
    events.message('warn', 'bubblewrap is not installed: if ingot is killed, QEMU may outlive it.');
    return argv;
  }
  return [bwrap, '--dev-bind', '/', '/', '--proc', '/proc', '--unshare-pid', '--die-with-parent', '--', ...argv];
}

/** The user's environment, which templates read (`env`) and plugins are told by; without what is ingot's own. */
function environment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const own = Object.entries(env).flatMap(([name, value]): [string, string][] => (value === undefined || name.startsWith('INGOT_') ? [] : [[name, value]]));
  return { ...Object.fromEntries(own), CHECKPOINT_DISABLE: '1', PACKER_NO_COLOR: '1' };
}
