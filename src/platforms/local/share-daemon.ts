import type { Host } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import type { Share } from './vm-record.ts';

/** Where distributions keep virtiofsd. */
const PLACES = ['/usr/libexec/virtiofsd', '/usr/lib/qemu/virtiofsd', '/usr/lib/virtiofsd', '/usr/lib/virtiofsd/virtiofsd'] as const;

/** The program that serves a folder to a guest. */
export interface ShareDaemon {
  readonly path: string;
  /** The one in C came with QEMU until 7.2 and works for root alone; the one in Rust is a package of its own. */
  readonly dialect: 'c' | 'rust';
  /** It can itself refuse to write. */
  readonly readOnly: boolean;
}

/** Finds virtiofsd and what it can; undefined where it is not installed. */
export async function findShareDaemon(host: Pick<Host, 'files' | 'processes'>): Promise<ShareDaemon | undefined> {
  for (const path of PLACES) {
    if ((await host.files.status(path))?.kind !== 'file') continue;
    const { stdout, stderr } = await host.processes.run([path, '--help'], { accept: [1, 2] });
    const help = stdout + stderr;
    return { path, dialect: help.includes('--shared-dir') ? 'rust' : 'c', readOnly: help.includes('--readonly') };
  }
  return undefined;
}

/**
 * In a mount namespace of its own, a folder becomes read-only for whatever is started there, and the file that the daemon in C leaves in /run is gone with
 * it. $1 is the folder, or empty.
 */
const APART =
  'set -e; mkdir -p /run/virtiofsd; mount -t tmpfs tmpfs /run/virtiofsd; folder=$1; shift; if [ -n "$folder" ]; then mount --bind "$folder" "$folder"; mount -o remount,bind,ro "$folder"; fi; exec "$@"';

/** The command that serves a share on a socket until QEMU lets go of it. */
export function shareCommand(daemon: ShareDaemon, share: Pick<Share, 'host' | 'readOnly'>, socket: HostPath, root: boolean): Argv {
  const itself = share.readOnly && daemon.readOnly;
  const serve: Argv =
    daemon.dialect === 'rust'
      ? [
          ...([daemon.path, `--socket-path=${socket}`, `--shared-dir=${share.host}`, '--sandbox=namespace', '--log-level=warn'] as const),
          ...(itself ? ['--readonly'] : []),
        ]
      : // In its list of options a comma, and a backslash, is escaped.
        [daemon.path, `--socket-path=${socket}`, '-f', '-o', `source=${share.host.replaceAll(/[\\,]/g, String.raw`\$&`)}`, '-o', 'log_level=warn'];
  if (!root) return serve;
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', APART, 'sh', share.readOnly && !itself ? share.host : '', ...serve];
}
