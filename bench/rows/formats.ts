import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Events } from '../../src/base/events.ts';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { hostPath } from '../../src/base/types.ts';
import { chainGraph } from '../../src/disk/convert.ts';
import { chooseFormat } from '../../src/disk/formats/table.ts';
import { WRITERS, type ExportContext } from '../../src/disk/formats/writers.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';

/** A home with an image to convert: what is measured is conversion, not building. */
const IMAGE = { home: 'INGOT_BENCH_HOME', name: 'debian-12' } as const;

/** How the other program writes the same format, all its requests in flight; a format of ours alone is compared with another of ours. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  'd.qcow2': ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd,cluster_size=256k'],
  'd.raw': ['-O', 'raw', '-S', '64k'],
  'd.vmdk': ['-O', 'vmdk', '-o', 'subformat=streamOptimized'],
  'd.vhd': ['-O', 'vpc', '-o', 'subformat=dynamic,force_size=on'],
  'd.vhdx': ['-O', 'vhdx', '-o', 'subformat=dynamic'],
};

/** Writing alone, in turn with qemu-img; ingot reads back what it wrote, which qemu-img does not, and how long that takes is a note. */
async function inTurn(bench: Bench, name: string): Promise<Measured | string> {
  const root = process.env[IMAGE.home];
  if (root === undefined) return `${IMAGE.home} names no home with ${IMAGE.name}`;
  const host = realHost();
  const home = await openHome(host, hostPath(root));
  const image = await openStore(host, home).resolve(IMAGE.name);
  const chain = layerPaths(home, image);
  const context: ExportContext = {
    ...{ host, home, settings: builtInSettings(home), events: new Events('bench', () => undefined, host), signal: new AbortController().signal },
    consent: () => Promise.resolve(false),
    attach: () => Promise.resolve(1),
  };
  const format = chooseFormat(name, undefined);
  if (format.name === 'web') throw new Error('a folder is no row');
  const [ours, theirs, checks]: [number[], number[], number[]] = [[], [], []];
  const other = name === 'd.ova' ? 'd.vmdk' : name;
  const write = async (file: string): Promise<{ seconds: number; check: () => Promise<void> }> => {
    const part = join(bench.folder, `ours-${file}`);
    await rm(part, { force: true });
    const start = performance.now();
    const chosen = chooseFormat(file, undefined);
    if (chosen.name === 'web') throw new Error('a folder is no row');
    const check = await WRITERS[chosen.name]({
      ...{ context, image, chain, part, format: chosen, target: hostPath(part), scratch: bench.folder, signal: context.signal },
      ...{ size: image.config['dev.ingot.image'].disk.size, workspace: undefined, inOrder: false, onProgress: () => undefined },
    });
    return { seconds: (performance.now() - start) / 1000, check };
  };
  for (let round = 0; round < bench.rounds; round++) {
    const peer = PEERS[name];
    if (peer === undefined) theirs.push((await write(other)).seconds);
    else {
      const target = join(bench.folder, `theirs-${name}`);
      await rm(target, { force: true });
      theirs.push((await timed(['qemu-img', 'convert', '-m', '16', '-W', ...peer, `json:${JSON.stringify(chainGraph(chain))}`, target])).seconds);
    }
    const { seconds, check } = await write(name);
    ours.push(seconds);
    const start = performance.now();
    await check();
    checks.push((performance.now() - start) / 1000);
  }
  return { unit: 's', ours, theirs, note: `reading it back takes ${Math.min(...checks).toFixed(1)} s more` };
}

const row = (name: string, what: string, against: string, ratio: number): Row => ({
  name: `format-${name.replace('d.', '')}`,
  what: `writing an image as ${what}`,
  against,
  target: { ratio },
  measure: (bench) => inTurn(bench, name),
});

/** 0.9 times the speed is 1.11 times the time. */
const AS_FAST = 1.11;

export const formatRows: readonly Row[] = [
  row('d.qcow2', 'qcow2 (zstd)', 'qemu-img convert -W -m 16', AS_FAST),
  row('d.raw', 'raw', 'qemu-img convert -W -m 16', AS_FAST),
  row('d.vmdk', 'stream-optimised VMDK', 'qemu-img convert -W -m 16', AS_FAST),
  row('d.vhd', 'dynamic VHD', 'qemu-img convert -W -m 16', AS_FAST),
  row('d.vhdx', 'dynamic VHDX', 'qemu-img convert -W -m 16', AS_FAST),
  row('d.ova', 'OVA', 'its own VMDK alone', 1.15),
];
