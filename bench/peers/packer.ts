import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { accelerator } from '../../src/platforms/local/accelerator.ts';
import { makeSeed, seedContent } from '../../src/platforms/local/seed.ts';
import { ensureSshKey } from '../../src/platforms/local/ssh.ts';
import type { Bench } from '../row.ts';
import { timed } from '../run-command.ts';

/** Why Packer cannot be measured here; undefined where it can. */
export async function packerMissing(): Promise<string | undefined> {
  if ((await findProgram(realHost(), 'packer')) === undefined) return "Packer is not installed (Debian's package packer)";
  return undefined;
}

/**
 * Seconds of a build by Packer's QEMU builder: a copy of `base` is booted, logged in to over SSH, `debs` are fetched from Packer's own web
 * server and installed by apt, the guest shut down, the disk compacted (Packer's default). Packer 1.6 starts from a copy of the disk: its way
 * with a backing file gives qemu-img no format, which that refuses since 6.1.
 */
export async function packerBuild(bench: Bench, name: string, base: HostPath, debs: readonly HostPath[]): Promise<number> {
  const host = realHost();
  const folder = join(bench.folder, `packer-${name}`);
  await mkdir(folder, { recursive: true });
  const home = await openHome(host, hostPath(join(bench.folder, 'home-packer')));
  const key = await ensureSshKey(host, home);
  const { kind } = await accelerator({ host, home });
  const seed = hostPath(join(folder, 'seed.img'));
  await makeSeed(host, seed, seedContent({ instanceId: `packer-${name}`, hostname: 'packer', publicKey: key.publicKey }));
  const output = join(folder, 'output');
  const [first] = debs;
  if (first === undefined) throw new Error('no packages to install');
  const builder = {
    type: 'qemu',
    disk_image: true,
    iso_url: base,
    iso_checksum: 'none',
    format: 'qcow2',
    disk_size: '4096M',
    vm_name: 'disk.qcow2',
    output_directory: output,
    accelerator: kind,
    headless: true,
    cpus: 2,
    memory: 1024,
    net_device: 'virtio-net',
    http_directory: dirname(first),
    ssh_username: 'debian',
    ssh_private_key_file: key.path,
    ssh_timeout: '30m',
    shutdown_command: 'sudo shutdown -P now',
    // Whoever gives -drive replaces Packer's own.
    qemuargs: [
      ['-drive', `file=${join(output, 'disk.qcow2')},if=virtio,cache=writeback,discard=ignore,format=qcow2`],
      ['-drive', `file=${seed},if=virtio,format=raw,readonly=on`],
      ...(kind === 'tcg' ? [] : [['-cpu', 'host']]),
    ],
  };
  const names = debs.map((path) => basename(path)).join(' ');
  const install = [
    'mkdir /tmp/debs && cd /tmp/debs',
    `for name in ${names}; do curl -sf -o "$name.deb" "http://$PACKER_HTTP_ADDR/$name"; done`,
    'sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ./*.deb',
    'rm -r /tmp/debs',
  ];
  const template = join(folder, 'template.json');
  await writeFile(template, JSON.stringify({ builders: [builder], provisioners: [{ type: 'shell', inline: ['set -e', ...install] }] }, undefined, 2));
  const { seconds } = await timed(['packer', 'build', '-color=false', template], { CHECKPOINT_DISABLE: '1', PACKER_CACHE_DIR: join(folder, 'cache') });
  return seconds;
}
