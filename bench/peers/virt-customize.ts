import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { accelerator } from '../../src/platforms/local/accelerator.ts';
import type { Bench } from '../row.ts';
import { timed } from '../run-command.ts';

/** Why virt-customize cannot be measured here; undefined where it can. */
export async function virtCustomizeMissing(): Promise<string | undefined> {
  if ((await findProgram(realHost(), 'virt-customize')) === undefined) return "virt-customize is not installed (Debian's package libguestfs-tools)";
  const kernels = (await readdir('/boot').catch(() => [])).filter((name) => name.startsWith('vmlinuz-'));
  return kernels.length === 0 ? "libguestfs needs a kernel in /boot (Debian's package linux-image-cloud-amd64)" : undefined;
}

async function environment(bench: Bench): Promise<Record<string, string>> {
  const host = realHost();
  const { kind } = await accelerator({ host, home: await openHome(host, hostPath(join(bench.folder, 'home-guestfs'))) });
  const cache = join(bench.folder, 'guestfs');
  await mkdir(cache, { recursive: true });
  return { LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_CACHEDIR: cache, ...(kind === 'tcg' ? { LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' } : {}) };
}

/** Lets libguestfs make its appliance, which it keeps for all later runs. */
export async function prepareVirtCustomize(bench: Bench): Promise<void> {
  await timed(['guestfish', '-a', '/dev/null', 'run'], await environment(bench));
}

/** Seconds for `debs` to be installed by virt-customize in a copy of `base`; the copying is part of it. */
export async function virtCustomizeBuild(bench: Bench, name: string, base: HostPath, debs: readonly HostPath[]): Promise<number> {
  const folder = join(bench.folder, `virt-customize-${name}`);
  const inside = join(folder, 'debs');
  await mkdir(inside, { recursive: true });
  for (const path of debs) await copyFile(path, join(inside, `${basename(path)}.deb`));
  const env = await environment(bench);
  const disk = join(folder, 'disk.qcow2');
  const start = performance.now();
  await copyFile(base, disk);
  const install = 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /var/tmp/debs/*.deb';
  await timed(['virt-customize', '-a', disk, '--no-network', '--copy-in', `${inside}:/var/tmp`, '--run-command', install, '--delete', '/var/tmp/debs'], env);
  return (performance.now() - start) / 1000;
}
