import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openHome, type Home } from '../../src/base/home.ts';
import { realHost, type Host } from '../../src/base/host.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { accelerator } from '../../src/platforms/local/accelerator.ts';
import { startGuest, type GuestSpec } from '../../src/platforms/local/guest.ts';
import { makeOverlay } from '../../src/platforms/local/overlay.ts';
import { recordedPorts, ROOT_DISK } from '../../src/platforms/local/vms.ts';
import { withFreePort } from '../../src/platforms/local/ports.ts';
import { makeSeed, seedContent } from '../../src/platforms/local/seed.ts';
import { ensureSshKey } from '../../src/platforms/local/ssh.ts';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { built } from './build-cold.ts';

const DISK = 8 * 2 ** 30;

/** Seconds from QEMU's start until one is logged in. */
export async function bootToSsh(host: Host, home: Home, folder: HostPath, disk: HostPath, kernel?: GuestSpec['kernel']): Promise<number> {
  await mkdir(folder, { recursive: true });
  const key = await ensureSshKey(host, home);
  const overlay = hostPath(join(folder, 'disk.qcow2'));
  const seed = hostPath(join(folder, 'seed.img'));
  await makeOverlay(host, overlay, disk, DISK);
  await makeSeed(host, seed, seedContent({ instanceId: 'bench', hostname: 'bench', publicKey: key.publicKey }));
  const runner = await accelerator({ host, home });
  const spec = (port: number): GuestSpec => ({
    name: 'bench',
    id: crypto.randomUUID(),
    folder,
    arch: 'amd64',
    firmware: 'bios',
    accelerator: runner,
    cpus: 2,
    memory: 2 ** 30,
    disks: [{ name: ROOT_DISK, chain: [disk], file: overlay }],
    seed,
    mac: '52:54:00:00:00:01',
    ssh: { port, user: 'debian', key: key.path, knownHosts: hostPath(join(folder, 'known_hosts')) },
    ...(kernel === undefined ? {} : { kernel }),
  });
  const start = performance.now();
  const guest = await withFreePort(host, home, { recorded: () => recordedPorts(host, home) }, (port) => startGuest(host, spec(port), { lifetime: 'process' }));
  try {
    await guest.waitForSsh();
    return (performance.now() - start) / 1000;
  } finally {
    await guest.kill();
  }
}

async function measure(bench: Bench): Promise<Measured | string> {
  if (built.ours === undefined || built.plain === undefined) return 'needs build-cold in the same run';
  if (built.ours.exported === '') return 'needs export-size in the same run';
  const host = realHost();
  const home = await openHome(host, hostPath(join(bench.folder, 'home-boot')));
  const base = built.plain.replace(/\.qcow2$/, '');
  const kernel = { image: hostPath(`${base}.vmlinuz`), initrd: hostPath(`${base}.initrd`), append: 'root=LABEL=root console=tty0 console=ttyS0,115200n8 ro' };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`round ${round}: booting the plain image by its kernel`);
    theirs.push(await bootToSsh(host, home, hostPath(join(bench.folder, `boot-plain-${round}`)), hostPath(built.plain), kernel));
    bench.say(`round ${round}: booting ours by its own boot loader`);
    ours.push(await bootToSsh(host, home, hostPath(join(bench.folder, `boot-ours-${round}`)), hostPath(built.ours.exported)));
  }
  const runner = await accelerator({ host, home });
  return { unit: 's', ours, theirs, note: `accelerator: ${runner.kind}` };
}

export const bootRow: Row = {
  name: 'boot-ssh',
  what: 'boot to SSH login, by our own boot loader',
  against: "the plain pipeline's image, kernel and initrd given to QEMU",
  target: { ratio: 0.8 },
  measure,
};

/** `vm create` until its QEMU runs: the command returns when QEMU's monitor says so. */
export const vmCreate: Row = {
  name: 'vm-create',
  what: 'ingot vm create until QEMU runs',
  against: '-',
  target: { value: 0.5 },
  measure: async (bench) => {
    if (built.ours === undefined) return 'needs build-cold in the same run';
    const env = { INGOT_HOME: built.ours.home };
    const ours: number[] = [];
    for (let i = 0; i < 5; i++) {
      ours.push((await timed([bench.ingot, 'vm', 'create', `bench-${i}`, '--image', 'debian-12', '--quiet'], env)).seconds);
      await timed([bench.ingot, 'vm', 'delete', `bench-${i}`, '--force', '--quiet'], env);
    }
    return { unit: 's', ours: ours.slice(1), theirs: [], note: 'after a first one, which makes the SSH key and proves the accelerator' };
  },
};
