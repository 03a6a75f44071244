import { IngotError } from '../base/errors.ts';
import { quoteCommand, type Argv } from '../base/process.ts';
import type { Context } from '../operations/operation.ts';
import { findTool, hostTool, missingTools, packagesOf, type ToolName } from './tools.ts';

/** What installing uses of a context. */
export type InstallContext = Pick<Context, 'host' | 'consent' | 'attach' | 'events' | 'signal'>;

const INSTALL_SECONDS = 1800;

/** The command that installs packages on Debian and Ubuntu, as the user would type it. */
export function installCommand(packages: readonly string[], uid: number): string {
  return quoteCommand([...(uid === 0 ? [] : ['sudo']), 'apt-get', 'install', '-y', ...packages]);
}

/** The tools found so far by this process: asking again costs nothing. */
const found = new Set<ToolName>();

/**
 * Makes sure that the host has the tools: names those missing and their packages, asks, and installs them by apt-get
 * (through sudo where not root). Call it before the first use of a tool, and not where nothing is to be done: it looks
 * at one file per tool. Throws `tools-missing` with the exact command where they cannot be or are not to be installed,
 * and `consent-needed` where nobody can be asked.
 */
export async function requireTools(context: InstallContext, names: readonly ToolName[]): Promise<void> {
  const { host } = context;
  const missing = await missingTools(
    host,
    names.filter((name) => !found.has(name)),
  );
  if (missing.length > 0) await installTools(context, missing);
  for (const name of names) found.add(name);
}

/** Installs the packages of missing tools after naming them and asking; see {@link requireTools} for what is thrown. */
export async function installTools(context: InstallContext, missing: readonly ToolName[]): Promise<string[]> {
  const { host } = context;
  const { arch, uid } = host.machine;
  const packages = packagesOf(missing, arch);
  const what = missing.map((name) => `${hostTool(name, arch).name} (${hostTool(name, arch).purpose})`).join(', ');
  const command = installCommand(packages, uid);
  const refuse = (reason: string): IngotError =>
    new IngotError('host', 'tools-missing', `This host lacks ${what}${reason}`, { hint: `To install it, run: ${command}` });
  if ((await findTool(host, 'apt-get')) === undefined) {
    throw new IngotError('host', 'tools-missing', `This host lacks ${what}, and has no apt-get to install it`, {
      hint: `Install what Debian calls ${packages.join(', ')} with the package manager of this host.`,
    });
  }
  if (!(await context.consent(`ingot needs ${what}. Install ${packages.join(', ')} with apt-get?`))) throw refuse('');
  const root = await rootPrefix(context);
  if (root === undefined) throw refuse(', and installing it needs root');
  const apt = (...words: string[]): Argv => [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=120', ...words] as const;
  await context.events.stage(`install ${packages.join(' ')}`, async (span) => {
    const options = {
      timeout: INSTALL_SECONDS,
      signal: context.signal,
      onLine: (line: string, stream: 'stdout' | 'stderr') => span.output(`${line}\n`, stream),
    };
    // A fresh machine has no package lists, an old one names versions that are gone.
    await host.processes.run(apt('update'), options);
    await host.processes.run(apt('install', '-y', '--no-install-recommends', ...packages), options);
  });
  const still = await missingTools(host, missing);
  if (still.length > 0) {
    throw new IngotError(
      'host',
      'tools-missing',
      `${still.map((name) => hostTool(name, arch).name).join(', ')} is missing after ${packages.join(', ')} was installed`,
    );
  }
  return packages;
}

/** The words in front of a command that make it run as root; asks for sudo's password on a terminal. Undefined without sudo. */
async function rootPrefix(context: InstallContext): Promise<[string, ...string[]] | [] | undefined> {
  const { host } = context;
  if (host.machine.uid === 0) return [];
  const sudo = '/usr/bin/sudo';
  if ((await host.files.status(sudo)) === undefined) return undefined;
  const silent = await host.processes.run([sudo, '-n', 'true'], { accept: [1] });
  if (silent.exitCode !== 0 && (await context.attach([sudo, '-v'])) !== 0) return undefined;
  return [sudo];
}
