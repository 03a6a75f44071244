import { systemErrorCode } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';

/** What a process of this host has used. */
export interface ProcessUsage {
  /** Seconds of processor time since its start. */
  readonly cpuSeconds: number;
  /** Bytes that it has in memory. */
  readonly memory: number;
}

/** The unit of times in /proc: Linux has it fixed for programs (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Looks at a process; undefined where it has ended. */
export async function processUsage(host: Host, pid: number): Promise<ProcessUsage | undefined> {
  if (host.machine.platform !== 'linux') {
    const { stdout } = await host.processes.run(['ps', '-o', 'time=,rss=', '-p', String(pid)], { accept: [1] });
    return fromPs(stdout);
  }
  try {
    const [stat, status] = await Promise.all([readTextIfThere(host.files, `/proc/${pid}/stat`), readTextIfThere(host.files, `/proc/${pid}/status`)]);
    return stat === undefined || status === undefined ? undefined : fromProc(stat, status);
  } catch (error) {
    if (systemErrorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** Reads /proc/PID/stat and status (proc(5)). The program's name, in brackets, can hold anything, so it is counted from its end. */
export function fromProc(stat: string, status: string): ProcessUsage {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  // Fields 14 and 15: time as the program and in the kernel. The slice begins with field 3.
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  return { cpuSeconds: ticks / TICKS_PER_SECOND, memory: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024 };
}

/** Reads what `ps -o time=,rss=` says: `[hours:]minutes:seconds[.hundredths]` and KiB. */
export function fromPs(line: string): ProcessUsage | undefined {
  const [time = '', memory = ''] = line.trim().split(/\s+/);
  if (memory === '') return undefined;
  return { cpuSeconds: time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0), memory: Number(memory) * 1024 };
}
