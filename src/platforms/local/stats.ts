import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { parseName } from '../../base/types.ts';
import { agentStats } from './agent-stats.ts';
import { guestFiles, type GuestFiles } from './guest-spec.ts';
import { stateOf, stoppedState, vmStateSchema } from './machine-state.ts';
import { processUsage, type ProcessUsage } from './process-usage.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';
import { vmPid, type VmRecord } from './vms.ts';

/** What a VM uses. What cannot be known (it stands still, no agent answers) is not there. */
export const vmStatsSchema = z.object({
  name: z.string(),
  state: vmStateSchema,
  cpus: z.int(),
  cpu: z.number().optional().describe("Percent of one of the host's processors"),
  memory: z.object({
    size: z.number().describe('Bytes that the guest has'),
    host: z.number().optional().describe('Bytes that its QEMU has in memory'),
    used: z.number().optional().describe('Bytes that the guest itself says it uses'),
  }),
  disk: z.object({ read: z.number(), written: z.number() }).optional().describe('Bytes since its start'),
  network: z.object({ received: z.number(), sent: z.number() }).optional().describe('Bytes since its start'),
});
export type VmStats = z.output<typeof vmStatsSchema>;

/** Seconds that others have to let go of the monitor or the agent; nobody is to wait long for a table. */
const SHORT_SECONDS = 2;

/** How much processor time a VM had used when. */
interface CpuMark {
  readonly pid: number;
  readonly cpuSeconds: number;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** Measures VMs, again and again: what they use of processors is what they used since the measurement before. */
export class StatsMeter {
  readonly #context: Pick<LabContext, 'host' | 'home' | 'signal'>;
  readonly #marks = new Map<string, CpuMark>();

  constructor(context: Pick<LabContext, 'host' | 'home' | 'signal'>) {
    this.#context = context;
  }

  /** Notes what the VMs have used until now, so that the next measurement can tell a rate; returns whether any of them runs. */
  async mark(vms: readonly VmRecord[]): Promise<boolean> {
    return (await Promise.all(vms.map((vm) => this.#usage(vm)))).some(({ usage }) => usage !== undefined);
  }

  /** Measures all at the same time. A VM that has just ended, or that nobody can talk to now, has gaps. */
  async measure(vms: readonly VmRecord[]): Promise<VmStats[]> {
    return Promise.all(vms.map((vm) => this.#measure(vm)));
  }

  async #measure(vm: VmRecord): Promise<VmStats> {
    const { host, home, signal } = this.#context;
    const { usage, cpu } = await this.#usage(vm);
    const known = { name: vm.name, cpus: vm.cpus };
    if (usage === undefined) return { ...known, state: stoppedState(vm), memory: { size: vm.memory } };
    const files = guestFiles(home.vm(parseName(vm.name, 'a VM')));
    const monitor = await askMonitor(files);
    const agent = monitor?.agent === true ? await agentStats(host, files.agent, SHORT_SECONDS, signal) : {};
    return {
      ...known,
      state: stateOf(monitor?.status),
      ...(cpu === undefined ? {} : { cpu }),
      memory: { size: vm.memory, host: usage.memory, ...(agent.memoryUsed === undefined ? {} : { used: agent.memoryUsed }) },
      ...(monitor === undefined ? {} : { disk: monitor.disk }),
      ...(agent.network === undefined ? {} : { network: agent.network }),
    };
  }

  async #usage(vm: VmRecord): Promise<{ readonly usage?: ProcessUsage; readonly cpu?: number }> {
    const { host, home } = this.#context;
    const before = this.#marks.get(vm.name);
    this.#marks.delete(vm.name);
    const pid = await vmPid(host, home, parseName(vm.name, 'a VM'));
    const usage = pid === undefined ? undefined : await processUsage(host, pid);
    if (pid === undefined || usage === undefined) return {};
    const mark = { pid, cpuSeconds: usage.cpuSeconds, at: host.clock.monotonic() };
    this.#marks.set(vm.name, mark);
    const cpu = before === undefined ? undefined : percentBetween(before, mark);
    return cpu === undefined ? { usage } : { usage, cpu };
  }
}

/** Percent of one processor between two marks of the same process. */
function percentBetween(before: CpuMark, after: CpuMark): number | undefined {
  const seconds = (after.at - before.at) / 1000;
  return before.pid !== after.pid || seconds <= 0 ? undefined : Math.max(0, ((after.cpuSeconds - before.cpuSeconds) / seconds) * 100);
}

const statusSchema = z.object({ status: z.string() });
const blocksSchema = z.array(z.object({ stats: z.object({ rd_bytes: z.number(), wr_bytes: z.number() }) }));
const devicesSchema = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }));

interface MonitorAnswers {
  /** QEMU's own word. */
  readonly status: string;
  readonly disk: { readonly read: number; readonly written: number };
  /** The guest has opened the agent's port: without it, asking the agent would be waiting for nothing. */
  readonly agent: boolean;
}

/** A short visit to QEMU's monitor; undefined where it has ended, or another command has the monitor. */
async function askMonitor(files: Pick<GuestFiles, 'qmp'>): Promise<MonitorAnswers | undefined> {
  try {
    using qmp = await QmpClient.connect(files.qmp, SHORT_SECONDS);
    const { status } = statusSchema.parse(await qmp.execute('query-status'));
    const blocks = blocksSchema.parse(await qmp.execute('query-blockstats'));
    const devices = devicesSchema.parse(await qmp.execute('query-chardev'));
    const disk = { read: 0, written: 0 };
    for (const { stats } of blocks) {
      disk.read += stats.rd_bytes;
      disk.written += stats.wr_bytes;
    }
    return { status, disk, agent: status === 'running' && devices.some((device) => device.label === 'agent' && device['frontend-open']) };
  } catch (error) {
    if (error instanceof IngotError && ['qemu-gone', 'qemu-silent'].includes(error.code)) return undefined;
    throw error;
  }
}

/** Seconds between two looks at the processors, where only one measurement is asked for. */
const ONE_SHOT_SECONDS = 0.5;

/** Measures VMs once; takes half a second, where one of them runs. */
export async function measureOnce(context: Pick<LabContext, 'host' | 'home' | 'signal'>, vms: readonly VmRecord[]): Promise<VmStats[]> {
  const meter = new StatsMeter(context);
  if (await meter.mark(vms)) await context.host.clock.sleep(ONE_SHOT_SECONDS, context.signal);
  return meter.measure(vms);
}
