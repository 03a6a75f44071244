import { formatSize } from '../base/types.ts';
import type { VmStats } from '../platforms/local/stats.ts';
import type { RenderOptions } from './operation.ts';
import { renderTable, type Cell, type Column } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'NAME', shrink: true },
  { title: 'STATE' },
  { title: 'CPU', right: true },
  { title: 'MEMORY', right: true },
  { title: 'IN USE', right: true },
];
const TOTALS = ['READ', 'WRITTEN', 'NET IN', 'NET OUT'];
const RATES = ['READ/s', 'WRITE/s', 'IN/s', 'OUT/s'];

/** An earlier measurement, to tell what came since. */
export interface Before {
  readonly stats: readonly VmStats[];
  /** How long ago. */
  readonly seconds: number;
}

/** A row for each VM; disk and network are totals, or per second since an earlier measurement. */
export function statsTable(stats: readonly VmStats[], options: RenderOptions, before?: Before): string {
  const columns = [...COLUMNS, ...(before === undefined ? TOTALS : RATES).map((title) => ({ title, right: true }))];
  return renderTable(
    columns,
    stats.map((vm) => rowOf(vm, before)),
    options,
  );
}

function rowOf(vm: VmStats, before: Before | undefined): Cell[] {
  const earlier = before?.stats.find(({ name }) => name === vm.name);
  const flow = (of: (one: VmStats) => number | undefined): string => {
    const now = of(vm);
    if (before === undefined || now === undefined) return size(now);
    const then = earlier === undefined ? undefined : of(earlier);
    // A guest that began anew counts from zero.
    return then === undefined || then > now || before.seconds <= 0 ? '-' : size((now - then) / before.seconds);
  };
  return [
    vm.name,
    vm.state === 'running'
      ? { text: vm.state, style: 'green' }
      : vm.state === 'stopped'
        ? { text: vm.state, style: 'dim' }
        : { text: vm.state, style: 'yellow' },
    vm.cpu === undefined ? '-' : `${Math.round(vm.cpu)} %`,
    size(vm.memory.host),
    size(vm.memory.used),
    flow((one) => one.disk?.read),
    flow((one) => one.disk?.written),
    flow((one) => one.network?.received),
    flow((one) => one.network?.sent),
  ];
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatSize(Math.round(bytes));
}
