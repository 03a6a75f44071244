import { basename } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { hexOf, type HostPath } from '../../base/types.ts';
import type { Context } from '../../operations/operation.ts';
import { isForeign, rolesOf, type Image, type ImageDetails } from '../../store/model.ts';
import type { PlaceKind } from '../../workspace/place.ts';
import { chainGraph, convertChain, EXPORT_CLUSTERS } from '../convert.ts';
import { readVhd } from '../vhd.ts';
import { Appender } from './appender.ts';
import type { Compression } from './compressed.ts';
import type { Controller, OvfMachine } from './ovf.ts';
import { openSource } from './source.ts';
import type { ChosenFormat, FormatName } from './table.ts';
import { compareDisks, compareStream, diskIn } from './verify.ts';

/** What exporting uses of a context. */
export type ExportContext = Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal' | 'consent' | 'attach'>;

/** One file that is being written. */
export interface WriteJob {
  readonly context: ExportContext;
  readonly image: Image;
  /** Bytes of the disk. */
  readonly size: number;
  /** The disk's files, bottom first. */
  readonly chain: readonly HostPath[];
  readonly format: ChosenFormat;
  /** The file to write, which is not there yet, and the one that it becomes. */
  readonly part: string;
  readonly target: HostPath;
  /** A folder of this process, gone afterwards. */
  readonly scratch: HostPath;
  /** Where disks are opened, where the user said it. */
  readonly workspace: PlaceKind | undefined;
  /** The same content has to give the same bytes, be it slower. */
  readonly inOrder: boolean;
  readonly onProgress: (percent: number) => void;
  readonly signal: AbortSignal;
}

/** Writes the file, and returns what reads it back against its source. */
export type Writer = (job: WriteJob) => Promise<() => Promise<void>>;

export const WRITERS: Readonly<Record<Exclude<FormatName, 'web'>, Writer>> = {
  qcow2: async (job) => {
    const { compat = '1.1', compression = 'zstd' } = job.format.options;
    const type = compression === 'zstd' ? ['compression_type=zstd'] : [];
    const options = [`compat=${compat}`, `cluster_size=${compression === 'none' ? '64k' : EXPORT_CLUSTERS}`, ...type].join(',');
    return await convert(job, 'qcow2', ['-O', 'qcow2', ...(compression === 'none' ? [] : ['-c']), '-o', options]);
  },
  raw: (job) => {
    const { compression = 'none' } = job.format.options;
    return compression === 'none' ? convert(job, 'raw', ['-O', 'raw', '-S', '64k']) : compress(job, compressionOf(compression));
  },
  vmdk: (job) =>
    job.format.options['layout'] === 'sparse'
      ? convert(job, 'vmdk', ['-O', 'vmdk', '-o', 'subformat=monolithicSparse,adapter_type=lsilogic,hwversion=13'])
      : streamVmdk(job),
  ova: writePackage,
  vhd: writeVhd,
  vhdx: (job) => convert(job, 'vhdx', ['-O', 'vhdx', '-o', `subformat=${job.format.options['layout'] ?? 'dynamic'}`]),
  'container-disk': async (job) => {
    const { writeContainerDisk } = await import('./container-disk.ts');
    const { config, references } = job.image;
    const written = await writeContainerDisk(job.context.host, job.part, {
      ...job,
      architecture: config.architecture,
      reference: references[0] ?? config['dev.ingot.image'].template,
      labels: { ...config.config?.Labels, 'dev.ingot.image': job.image.digest },
    });
    return () => compare(job, diskIn(job.part, 'qcow2', written));
  },
  lxc: async (job) => await (await import('./root-files.ts')).writeRootTar(job, false),
  incus: async (job) => await (await import('./root-files.ts')).writeRootTar(job, true),
  squashfs: async (job) => await (await import('./root-files.ts')).writeSquashfs(job),
};

/** Work under way at the same time: enough for all cores while results are written in order. */
export function widthOf({ context }: Pick<WriteJob, 'context'>): number {
  return 2 * context.host.machine.cpus;
}

export function compressionOf(word: string): Compression {
  if (word === 'gzip' || word === 'xz' || word === 'zstd') return word;
  throw new IngotError('internal', 'internal', `"${word}" is no compression`);
}

/** What qemu-img writes by itself, on all cores. */
async function convert(job: WriteJob, driver: string, output: readonly string[]): Promise<() => Promise<void>> {
  await convertChain(job.context.host, job.chain, job.part, { ...job, output });
  return () => compare(job, diskIn(job.part, driver));
}

async function compare({ context, chain, signal }: WriteJob, written: object): Promise<void> {
  await compareDisks(context.host, chainGraph(chain), written, { signal });
}

async function compress(job: WriteJob, compression: Compression): Promise<() => Promise<void>> {
  const { context, part, scratch, signal } = job;
  const { writeCompressed } = await import('./compressed.ts');
  {
    await using source = await openSource(context.host, chainGraph(job.chain), scratch, signal);
    await context.host.files.write(part, '');
    const out = new Appender(context.host.files, part);
    await writeCompressed(context.host, source, out, { compression, width: widthOf(job), onProgress: job.onProgress, signal });
    await out.flush();
  }
  return async () => {
    await using source = await openSource(context.host, chainGraph(job.chain), scratch, signal);
    await compareStream(context.host, source, part, compression, signal);
  };
}

/** Eight digits that say which content a VMDK has; all ones and the number below would mean none. */
function contentId({ image }: WriteJob): string {
  return `7${hexOf(image.digest).slice(0, 7)}`;
}

async function streamVmdk(job: WriteJob): Promise<() => Promise<void>> {
  const { context, part, scratch, signal } = job;
  const { writeVmdkStream } = await import('./vmdk-stream.ts');
  await using source = await openSource(context.host, chainGraph(job.chain), scratch, signal);
  await context.host.files.write(part, '');
  const out = new Appender(context.host.files, part);
  const { onProgress } = job;
  await writeVmdkStream(source, out, {
    ...{ name: basename(job.target), contentId: contentId(job), adapter: 'lsilogic', width: widthOf(job), onProgress, signal },
  });
  await out.flush();
  return () => compare(job, diskIn(part, 'vmdk'));
}

/** Processors and MiB of memory that a machine from a package begins with; whoever imports it changes them. */
const MACHINE = { cpus: 2, memory: 2048 } as const;

async function writePackage(job: WriteJob): Promise<() => Promise<void>> {
  const { context, part, scratch, signal, onProgress } = job;
  const { writeOva } = await import('./ova.ts');
  await using source = await openSource(context.host, chainGraph(job.chain), scratch, signal);
  const machine = await machineOf(job);
  const written = await writeOva(context.host, source, part, { machine, contentId: contentId(job), width: widthOf(job), onProgress, signal });
  return async () => {
    const { readOva } = await import('../ova.ts');
    await readOva(context.host.files, part);
    await compare(job, diskIn(part, 'vmdk', written));
  };
}

/** The families whose images of ingot's own have the drivers of VMware's own devices when they start. */
const PARAVIRTUAL = ['debian'];

/** Whether a machine of the image can start from pvscsi: its drivers are known to be in the initial RAM disk. The role vmware sees to that. */
function isParavirtual(details: ImageDetails): boolean {
  return rolesOf(details).includes('vmware') || (PARAVIRTUAL.includes(details.family) && !isForeign(details.layers));
}

async function machineOf({ image, format, target }: WriteJob): Promise<Omit<OvfMachine, 'disk'>> {
  const { ovfSystem } = await import('./ovf.ts');
  const details = image.config['dev.ingot.image'];
  const paravirtual = isParavirtual(details);
  const { controller = 'auto', network = 'auto', firmware = 'auto' } = format.options;
  const name = basename(target)
    .replace(/\.ova$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 80);
  return {
    ...MACHINE,
    name: name === '' ? details.template : name,
    description: `${details.template} (${details.release}), ${image.digest}`,
    controller: isController(controller) ? controller : paravirtual ? 'pvscsi' : 'sata',
    network: network === 'vmxnet3' || network === 'e1000' || network === 'e1000e' ? network : paravirtual ? 'vmxnet3' : 'e1000',
    firmware: firmware === 'auto' ? (details.disk.firmware === 'uefi' ? 'uefi' : 'bios') : firmware === 'uefi' ? 'uefi' : 'bios',
    system: ovfSystem(details.release),
  };
}

function isController(word: string): word is Controller {
  return word === 'pvscsi' || word === 'lsilogic' || word === 'sata' || word === 'ide';
}

/** XenServer and Azure take whole mebibytes alone. */
const MEBIBYTE = 2 ** 20;

/**
 * Without `force_size`, QEMU makes the disk larger, up to what cylinders, heads and sectors can say: Azure refuses such a size, and the backup GPT is then not at
 * the end.
 */
async function writeVhd(job: WriteJob): Promise<() => Promise<void>> {
  const { context, part, size } = job;
  const options = `subformat=${job.format.options['layout'] ?? 'dynamic'},force_size=on`;
  const whole = Math.ceil(size / MEBIBYTE) * MEBIBYTE;
  let verify: () => Promise<void>;
  if (whole === size) verify = await convert(job, 'vpc', ['-O', 'vpc', '-o', options]);
  else {
    await context.host.processes.run(['qemu-img', 'create', '-q', '-f', 'vpc', '-o', options, part, String(whole)]);
    verify = await convert(job, 'vpc', ['-n', '-O', 'vpc']);
  }
  return async () => {
    const footer = await readVhd(context.host.files, part);
    if (footer.size !== whole) {
      throw new IngotError('verification', 'export-incomplete', `The exported VHD is a disk of ${footer.size} bytes instead of ${whole}`);
    }
    await verify();
  };
}
