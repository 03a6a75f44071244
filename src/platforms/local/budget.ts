import { IngotError } from '../../base/errors.ts';
import type { Settings } from '../../base/settings.ts';
import { formatSize, parseName } from '../../base/types.ts';
import type { LabContext } from './view.ts';
import { diskUsed, loadVms, vmPid, type VmRecord } from './vms.ts';

/** What a VM asks the host for. */
export interface Need {
  readonly name: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Sizes that the guest sees, in bytes. */
  readonly disks: readonly { readonly size: number }[];
}

/** What the host gives to VMs in all; undefined is no limit. */
export interface Budget {
  readonly cpus: number;
  readonly memory: number;
  readonly disk: number | undefined;
}

/** The budget of a host, from the settings. `diskRoom` is what is free for VMs and what they have already. Pure. */
export function budgetOf(settings: Settings, machine: { readonly cpus: number; readonly memory: number }, diskRoom: number): Budget {
  const disk = settings['disk-overcommit'];
  return {
    cpus: Math.floor(machine.cpus * settings['cpu-overcommit']),
    memory: machine.memory * settings['memory-overcommit'],
    disk: disk === undefined ? undefined : diskRoom * disk,
  };
}

/** What does not fit, as sentences that name the sums; empty where all does. `running` and `all` are the other VMs. Pure. */
export function overBudget(
  budget: Budget,
  need: Need,
  others: { readonly running: readonly Need[]; readonly all: readonly Need[] },
  asked: { readonly running: boolean; readonly isNew: boolean },
): string[] {
  const wrong: string[] = [];
  const check = (limit: number | undefined, mine: number, theirs: readonly number[], kind: string, text: (amount: number) => string): void => {
    const sum = theirs.reduce((total, one) => total + one, 0);
    if (limit === undefined || sum + mine <= limit) return;
    const have = theirs.length === 0 ? '' : `${theirs.length} ${kind}${theirs.length === 1 ? 'VM has' : 'VMs have'} ${text(sum)}, `;
    wrong.push(`${have}${need.name} needs ${text(mine)}, the budget is ${text(limit)}`);
  };
  const sizes = ({ disks }: Need): number => disks.reduce((sum, { size }) => sum + size, 0);
  if (asked.running) {
    check(
      budget.memory,
      need.memory,
      others.running.map(({ memory }) => memory),
      'running ',
      (bytes) => `${formatSize(bytes)} of memory`,
    );
    check(
      budget.cpus,
      need.cpus,
      others.running.map(({ cpus }) => cpus),
      'running ',
      (count) => `${count} processors`,
    );
  }
  if (asked.isNew) check(budget.disk, sizes(need), others.all.map(sizes), '', (bytes) => `${formatSize(bytes)} of disks`);
  return wrong;
}

/**
 * Refuses a VM that does not fit into what the host gives to VMs, or whose memory the host has not free now (unless more is promised than there
 * is). Throws `budget-exceeded` and `memory-short`.
 */
export async function checkBudget(context: LabContext, need: Need, asked = { running: true, isNew: false }): Promise<void> {
  const { host, home, settings } = context;
  if (!asked.running && settings['disk-overcommit'] === undefined) return;
  const all = (await loadVms(host, home)).filter(({ name }) => name !== need.name);
  const pids = await Promise.all(all.map((vm) => vmPid(host, home, parseName(vm.name, 'a VM'))));
  const running = all.filter((_vm, index) => pids[index] !== undefined);
  const budget = budgetOf(settings, host.machine, settings['disk-overcommit'] === undefined ? 0 : await diskRoom(context, all));
  const wrong = overBudget(budget, need, { running, all }, asked);
  if (wrong.length > 0) {
    throw new IngotError('host', 'budget-exceeded', wrong.join('; '), {
      hint: 'Ask for less, stop or delete other VMs, use --force, or raise memory-overcommit, cpu-overcommit or disk-overcommit with `ingot config set`.',
    });
  }
  const free = host.machine.freeMemory();
  if (!asked.running || need.memory <= free || settings['memory-overcommit'] > 1) return;
  throw new IngotError(
    'host',
    'memory-short',
    `${need.name} needs ${formatSize(need.memory)} of memory, and ${formatSize(free)} of the host's ${formatSize(host.machine.memory)} are free${runningSum(running)}`,
    { hint: 'Give it less --memory, stop other VMs, or use --force.' },
  );
}

function runningSum(running: readonly Need[]): string {
  if (running.length === 0) return '';
  return `; ${running.length} running VMs have ${formatSize(running.reduce((sum, { memory }) => sum + memory, 0))}`;
}

async function diskRoom({ host, home }: LabContext, vms: readonly VmRecord[]): Promise<number> {
  const used = await Promise.all(vms.map((vm) => diskUsed(host, home, vm)));
  return used.reduce((sum, bytes) => sum + bytes, await host.files.freeSpace(home.vms));
}
