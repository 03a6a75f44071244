import { IngotError } from '../../base/errors.ts';
import type { MachineWish } from '../platform.ts';
import type { CsOffering, CsZone } from './answers.ts';
import { chooseOffering, namedOne } from './plan.ts';

/** MHz of each processor, where a custom offering wants to be told. */
const SPEED = 1000;
/** What a custom offering gets, where only one of both is asked for. */
const [CPUS, MEMORY] = [1, 1024];

export interface VmSize {
  readonly offering: CsOffering;
  /** What a custom offering is told. */
  readonly details: Readonly<Record<string, string>> | undefined;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
}

/**
 * The offering for a VM: the named one, else the smallest of a fixed size that has what is asked for, else a custom one that takes it. Where nothing is asked
 * for, that of the target or of the trial. Throws `offering-unknown`, `offering-unfit`. Pure.
 */
export function sizeFor(
  all: readonly CsOffering[],
  { offering: named, cpus, memory }: Pick<MachineWish, 'offering' | 'cpus' | 'memory'>,
  defaults: { readonly wanted: string | undefined; readonly fallback: string | undefined },
  zone: Pick<CsZone, 'name'>,
): VmSize {
  const wanted = named ?? (cpus === undefined && memory === undefined ? defaults.wanted : undefined);
  if (wanted !== undefined) {
    const offering = namedOne(all, wanted, 'offering-unknown', `service offering ${wanted} in the zone ${zone.name}`);
    const size = fit(offering, cpus, memory);
    if (size !== undefined) return size;
    throw new IngotError('usage', 'offering-unfit', `The offering ${offering.name} does not give ${wish(cpus, memory)}`, {
      hint: `It gives ${given(offering)}.`,
    });
  }
  if (cpus === undefined && memory === undefined) {
    const offering = all.find(({ id, iscustomized }) => id === defaults.fallback && !iscustomized) ?? chooseOffering(all, undefined, zone);
    return fixed(offering);
  }
  const active = all.filter(({ state }) => state === undefined || state === 'Active');
  const sized = active.flatMap((offering) => fit(offering, cpus, memory) ?? []);
  const order = (a: VmSize, b: VmSize): number =>
    Number(a.offering.iscustomized) - Number(b.offering.iscustomized) || a.memory - b.memory || a.cpus - b.cpus || (a.offering.name < b.offering.name ? -1 : 1);
  const [best] = sized.toSorted(order);
  if (best !== undefined) return best;
  throw new IngotError('usage', 'offering-unfit', `No service offering in the zone ${zone.name} gives ${wish(cpus, memory)}`, {
    hint:
      active.length === 0
        ? 'This user sees none at all.'
        : `There are ${active
            .slice(0, 10)
            .map((one) => `${one.name} (${given(one)})`)
            .join(', ')}.`,
  });
}

function fit(offering: CsOffering, cpus: number | undefined, memory: number | undefined): VmSize | undefined {
  if (!offering.iscustomized) {
    const size = fixed(offering);
    return size.cpus >= (cpus ?? 0) && size.memory >= (memory ?? 0) ? size : undefined;
  }
  const range = ranges(offering);
  // A custom one may be custom in one of both alone.
  const [ownCpus, ownMemory] = [offering.cpunumber || undefined, offering.memory || undefined];
  const size = { cpus: ownCpus ?? cpus ?? Math.max(CPUS, range.mincpunumber ?? 0), memory: ownMemory ?? memory ?? Math.max(MEMORY, range.minmemory ?? 0) };
  const within = (value: number, least: number | undefined, most: number | undefined): boolean => value >= (least ?? 0) && value <= (most ?? Infinity);
  if (size.cpus < (cpus ?? 0) || size.memory < (memory ?? 0)) return undefined;
  if (!within(size.cpus, range.mincpunumber, range.maxcpunumber) || !within(size.memory, range.minmemory, range.maxmemory)) return undefined;
  return {
    offering,
    ...size,
    details: {
      ...(ownCpus === undefined ? { cpuNumber: String(size.cpus) } : {}),
      ...(ownMemory === undefined ? { memory: String(size.memory) } : {}),
      ...(offering.cpuspeed === undefined || offering.cpuspeed === 0 ? { cpuSpeed: String(SPEED) } : {}),
    },
  };
}

function fixed(offering: CsOffering): VmSize {
  return { offering, details: undefined, cpus: offering.cpunumber ?? 0, memory: offering.memory ?? 0 };
}

const RANGES = ['mincpunumber', 'maxcpunumber', 'minmemory', 'maxmemory'] as const;

function ranges({ serviceofferingdetails = {} }: CsOffering): Partial<Record<(typeof RANGES)[number], number>> {
  return Object.fromEntries(
    RANGES.flatMap((key) => {
      const value = Number(serviceofferingdetails[key]);
      return Number.isNaN(value) ? [] : [[key, value]];
    }),
  );
}

function wish(cpus: number | undefined, memory: number | undefined): string {
  return [...(cpus === undefined ? [] : [`${cpus} processors`]), ...(memory === undefined ? [] : [`${memory} MiB`])].join(' and ');
}

function given(offering: CsOffering): string {
  if (!offering.iscustomized) return `${offering.cpunumber ?? 0} processors, ${offering.memory ?? 0} MiB`;
  const { mincpunumber, maxcpunumber, minmemory, maxmemory } = ranges(offering);
  return `custom, ${mincpunumber ?? 1} to ${maxcpunumber ?? 'any number of'} processors, ${minmemory ?? 0} to ${maxmemory ?? 'any'} MiB`;
}
