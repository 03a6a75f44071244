import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { accelerator } from '../platforms/local/accelerator.ts';
import type { PlaceKind } from '../workspace/place.ts';

/** Flags of /proc/cpuinfo that each level of amd64 has besides those of the levels below (psABI of x86-64, "Micro-Architecture Levels"). */
const LEVELS = {
  'x86-64-v2': ['cx16', 'lahf_lm', 'popcnt', 'sse4_1', 'sse4_2', 'ssse3'],
  'x86-64-v3': ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'],
} as const;
export type CpuLevel = keyof typeof LEVELS;
const ORDER: readonly CpuLevel[] = ['x86-64-v2', 'x86-64-v3'];

/** What a processor lacks for a level, as names of its flags; pure. */
export function missingFlags(cpuinfo: string, level: CpuLevel): string[] {
  const has = new Set((/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '').trim().split(/\s+/));
  return ORDER.slice(0, ORDER.indexOf(level) + 1).flatMap((each) => LEVELS[each].filter((flag) => !has.has(flag)));
}

/**
 * Checks that programs of a release run where its image is to be opened: on this host's processor, but for a helper VM that is emulated, whose processor
 * has all that QEMU knows. Throws `cpu-too-old`.
 */
export async function checkCpu(context: Pick<Context, 'host' | 'home' | 'signal'>, release: Release, arch: string, place: PlaceKind): Promise<void> {
  const { host, home, signal } = context;
  if (release.cpu === undefined || arch !== 'amd64' || host.machine.arch !== 'amd64' || host.machine.platform !== 'linux') return;
  if (place === 'vm' && (await accelerator({ host, home, signal }, 'amd64')).kind === 'tcg') return;
  const missing = missingFlags((await readTextIfThere(host.files, '/proc/cpuinfo')) ?? '', release.cpu);
  if (missing.length === 0) return;
  throw new IngotError(
    'host',
    'cpu-too-old',
    `Programs of ${release.id} need a processor of the level ${release.cpu}, and this host's lacks ${missing.join(', ')}`,
    {
      hint: 'Build it on a newer host, or take an older release.',
    },
  );
}
