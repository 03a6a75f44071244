import { isIPv6 } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { writeOutFile } from '../../base/out-file.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath, type HostPath, type Name } from '../../base/types.ts';
import type { SshAccess } from './guest-spec.ts';
import { readyForSsh } from './ready.ts';
import { addressOf, ANY_EXIT_CODE, sshOptionWords } from './ssh.ts';
import type { LabContext } from './view.ts';

/** What is copied, and which way. */
export interface Copy {
  readonly direction: 'in' | 'out';
  readonly vm: Name;
  /** In the VM; a relative one begins in the home of its user. */
  readonly guestPath: string;
  /** On this machine. */
  readonly path: HostPath;
}

export interface CopyOptions {
  /** Seconds to wait until one can log in. */
  readonly limit?: number;
  /** Waits for a VM that is on a target, and tells how it is reached. */
  readonly reach?: () => Promise<SshAccess>;
}

/**
 * Copies a file, or a folder with all that is in it, into a VM or out of it; modes and times stay. A target that is a folder is copied into. What is
 * copied to this machine appears when it is whole, but for folders that are there already: those are added to. Throws `file-missing`,
 * `folder-missing`, `copy-denied`, `copy-failed`, and what waiting for a login throws.
 */
export async function copyFiles(context: LabContext, copy: Copy, options: CopyOptions = {}): Promise<void> {
  const { vm, path, direction, guestPath } = copy;
  if (direction === 'in' && (await kindOf(context, path)) === undefined) throw new IngotError('not-found', 'file-missing', `There is no file ${path}`);
  if (direction === 'out' && (await kindOf(context, dirname(path))) !== 'directory')
    throw new IngotError('not-found', 'folder-missing', `There is no folder ${dirname(path)}`, { hint: 'Make it first.' });
  const access = options.reach === undefined ? (await readyForSsh(context, vm, options.limit)).spec.ssh : await options.reach();
  if (direction === 'in') await scp(context, copy, scpCommand(vm, access, path, remote(access, guestPath)));
  else await fetchFiles(context, copy, access);
}

/** What is there, links followed. */
async function kindOf({ host }: LabContext, path: string): Promise<string | undefined> {
  const real = await host.files.resolveLinks(path);
  return real === undefined ? undefined : (await host.files.status(real))?.kind;
}

async function fetchFiles(context: LabContext, copy: Copy, access: SshAccess): Promise<void> {
  const { host, home } = context;
  const { vm, path } = copy;
  const source = remote(access, escapeGlob(copy.guestPath));
  const name = basename(copy.guestPath);
  const into = (await kindOf(context, path)) === 'directory';
  const target = into ? hostPath(join(path, name)) : path;
  if ((into && ['', '.', '..', '~'].includes(name)) || (await kindOf(context, target)) === 'directory') {
    await scp(context, copy, scpCommand(vm, access, source, path));
    return;
  }
  await writeOutFile(host, home, target, { force: true, what: `vm copy ${vm}` }, async (part) => {
    await scp(context, copy, scpCommand(vm, access, source, part));
    if ((await host.files.status(part))?.kind === 'file') await host.files.sync(part);
  });
}

/** The path as scp takes it; without one it is the home of the user. */
function remote(access: SshAccess, path: string): string {
  const address = addressOf(access);
  return `${isIPv6(address) ? `[${address}]` : address}:${path === '' ? '.' : path}`;
}

/** scp reads a path to copy from as a pattern: here it is the name of one file. */
export function escapeGlob(path: string): string {
  return path.replaceAll(/[*?[\]\\{}]/g, String.raw`\$&`);
}

/** The scp command for a guest. By the SFTP protocol (-s), in which no shell of the guest reads the names. */
export function scpCommand(name: string, access: SshAccess, from: string, to: string): Argv {
  return ['scp', '-s', '-r', '-p', '-q', ...sshOptionWords(name, access), '-o', `User=${access.user}`, '-P', String(access.port), '--', from, to];
}

async function scp({ host, signal, events }: LabContext, { vm, direction, guestPath }: Copy, argv: Argv): Promise<void> {
  const label = `Copying ${direction === 'in' ? 'to' : 'from'} ${vm}`;
  const result = await events.stage(label, () => host.processes.run(argv, { accept: ANY_EXIT_CODE, signal }));
  if (result.exitCode !== 0) throw copyError({ vm, direction, guestPath }, result.stderr);
}

/** What scp's words mean. */
export function copyError({ vm, direction, guestPath }: Pick<Copy, 'vm' | 'direction' | 'guestPath'>, said: string): IngotError {
  const detail = said.trim();
  const inwards = direction === 'in';
  if (/(unknown|illegal) option -- s/.test(said)) {
    return new IngotError('host', 'scp-too-old', 'The scp here knows no SFTP', { hint: 'OpenSSH 8.7 or newer is needed.', detail });
  }
  if (/permission denied/i.test(said)) {
    return new IngotError('command', 'copy-denied', `The user of ${vm} may not ${inwards ? 'write' : 'read'} all of ${guestPath} there`, {
      hint: `Copy by way of a folder of that user, with \`ingot vm exec ${vm} -- sudo …\` ${inwards ? 'after' : 'before'} it.`,
      detail,
    });
  }
  if (/no such file or directory/i.test(said)) {
    return inwards
      ? new IngotError('not-found', 'folder-missing', `There is no folder for ${guestPath} in ${vm}`, { hint: 'Make it first.', detail })
      : new IngotError('not-found', 'file-missing', `There is no ${guestPath} in ${vm}`, { detail });
  }
  if (/subsystem request failed|connection closed/i.test(said)) {
    return new IngotError('command', 'copy-failed', `The copy ${inwards ? 'to' : 'from'} ${vm} broke off`, {
      hint: 'Has the guest an SFTP server, and does it still run?',
      detail,
    });
  }
  return new IngotError('command', 'copy-failed', `Not all could be copied ${inwards ? 'to' : 'from'} ${vm}`, { detail });
}
