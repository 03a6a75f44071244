import { IngotError, systemErrorCode } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';

/**
 * The process id of the QEMU that wrote this pid file, where it still runs. The file alone proves nothing: after kill -9 it stays,
 * and its number can belong to another program. The program's own command line, which names the file, does.
 */
export async function runningQemu(host: Host, pidFile: HostPath): Promise<number | undefined> {
  const pid = Number((await readTextIfThere(host.files, pidFile))?.trim());
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  return (await commandLineOf(host, pid)).includes(pidFile) ? pid : undefined;
}

/** Words of a process's command line; empty where it has ended. */
async function commandLineOf(host: Host, pid: number): Promise<readonly string[]> {
  if (host.machine.platform === 'linux') {
    try {
      return ((await readTextIfThere(host.files, `/proc/${pid}/cmdline`)) ?? '').split('\0');
    } catch (error) {
      if (systemErrorCode(error) === 'ESRCH') return [];
      throw error;
    }
  }
  const { stdout } = await host.processes.run(['ps', '-ww', '-o', 'command=', '-p', String(pid)], { accept: [1] });
  // Without the words' borders; the file's absolute path is telling enough.
  const at = stdout.indexOf('-pidfile ');
  return at === -1
    ? []
    : [
        stdout
          .slice(at + '-pidfile '.length)
          .trim()
          .split(' -')[0] ?? '',
      ];
}

const POLL_SECONDS = 0.02;
const LIMIT_SECONDS = 10;

/** Ends a QEMU at once, as pulling the plug does, and waits until it is gone. Throws `qemu-unkillable`. */
export async function endQemu(host: Host, pidFile: HostPath, pid: number): Promise<void> {
  host.processes.signal(pid, 'SIGKILL');
  const limit = host.clock.monotonic() + LIMIT_SECONDS * 1000;
  while ((await runningQemu(host, pidFile)) === pid) {
    if (host.clock.monotonic() > limit)
      throw new IngotError('timeout', 'qemu-unkillable', `QEMU (process ${pid}) did not end within ${LIMIT_SECONDS} s of being killed`);
    await host.clock.sleep(POLL_SECONDS);
  }
}
