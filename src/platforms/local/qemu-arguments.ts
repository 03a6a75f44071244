import { basename } from 'node:path';
import type { Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import type { FirmwareFiles } from './firmware.ts';
import {
  guestFiles,
  type Accelerator,
  type Architecture,
  type GuestDisk,
  type GuestFiles,
  type GuestNetwork,
  type GuestShare,
  type GuestSpec,
} from './guest-spec.ts';

/** QEMU's name of an architecture. */
const PROGRAMS: Readonly<Record<Architecture, string>> = { amd64: 'qemu-system-x86_64', arm64: 'qemu-system-aarch64' };

/** The program that runs guests of an architecture. */
export function qemuProgram(arch: Architecture): string {
  return PROGRAMS[arch];
}

export interface QemuOptions {
  /** Files of the firmware; undefined for BIOS, which QEMU brings along. */
  readonly firmware: FirmwareFiles | undefined;
  /** The guest's disk is thrown away afterwards: its writes need not reach the host's disk. */
  readonly disposable: boolean;
  /** QEMU gives up rights that it does not need; built into it on Linux. */
  readonly sandbox: boolean;
  /** It waits for the state of another machine instead of booting: see restoreRamState. */
  readonly incoming?: boolean;
}

/** QEMU gives up rights that it does not need; built into it on Linux. */
export const SANDBOX: readonly string[] = ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'];

/** The command line of QEMU for a guest. Pure: the same spec gives the same words. */
export function qemuArguments(spec: GuestSpec, options: QemuOptions): Argv {
  const files = guestFiles(spec.folder);
  return [
    qemuProgram(spec.arch),
    ...['-name', spec.name, '-uuid', spec.id, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...(options.sandbox ? SANDBOX : []),
    ...sharedMemory(spec),
    ...['-machine', machine(spec), ...acceleratorArguments(spec.accelerator)],
    ...['-smp', String(spec.cpus), '-m', `${memoryMiB(spec)}M`, '-rtc', 'base=utc'],
    ...memoryArguments(spec),
    ...firmwareArguments(spec, options.firmware),
    ...slotArguments(spec.slots),
    ...spec.disks.flatMap((disk, index) => diskArguments(disk, index === 0, options.disposable)),
    ...seedArguments(spec.seed),
    ...cdromArguments(spec),
    ...['-netdev', userNetwork(spec)],
    // Without its ROM the card cannot boot from the network, and the firmware does not try.
    ...['-device', `virtio-net-pci,netdev=net0,mac=${spec.mac},romfile=`],
    ...networkArguments(spec.network),
    ...generationArguments(spec),
    ...['-device', 'virtio-rng-pci', '-device', spec.arch === 'amd64' ? 'VGA' : 'ramfb'],
    ...['-chardev', socket('agent', files.agent), '-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', `${socket('serial', files.serial)},logfile=${escape(files.console)},logappend=off`, '-serial', 'chardev:serial'],
    ...['-chardev', socket('qmp', files.qmp), '-mon', 'chardev=qmp,mode=control'],
    ...(spec.shares ?? []).flatMap((share) => shareArguments(share, files)),
    ...tpmArguments(spec, files),
    ...['-pidfile', files.pid],
    ...(spec.endsAtReboot === true ? ['-no-reboot'] : []),
    ...kernelArguments(spec),
    ...(options.incoming === true ? ['-incoming', 'defer'] : []),
  ];
}

function memoryMiB(spec: Pick<GuestSpec, 'memory'>): number {
  return Math.ceil(spec.memory / 2 ** 20);
}

/**
 * Memory that is a file. It has the name of the memory that QEMU makes by itself, so that a saved state fits both. No device may give pages
 * back to the host (a balloon): that would punch holes into a file that others start from.
 */
function memoryArguments(spec: GuestSpec): string[] {
  if (spec.memoryFile === undefined) return [];
  const id = spec.arch === 'amd64' ? 'pc.ram' : 'mach-virt.ram';
  const backend = {
    'qom-type': 'memory-backend-file',
    id,
    'mem-path': spec.memoryFile.path,
    size: memoryMiB(spec) * 2 ** 20,
    share: spec.memoryFile.written,
    'x-use-canonical-path-for-ramblock-id': false,
  };
  return ['-object', JSON.stringify(backend), '-machine', `memory-backend=${id}`];
}

/**
 * Another number at each start tells the guest's kernel that its memory may be a copy of another machine's: it then draws new random numbers
 * (QEMU: docs/specs/vmgenid). The board for ARM has no such device.
 */
function generationArguments(spec: GuestSpec): string[] {
  return spec.arch === 'amd64' ? ['-device', 'vmgenid,guid=auto'] : [];
}

function machine(spec: GuestSpec): string {
  const memory = servesFolders(spec) ? ',memory-backend=ram' : '';
  // The default interrupt controller serves 8 processors at most; QEMU has no other for HVF.
  if (spec.arch === 'arm64') return `${spec.accelerator.kind === 'hvf' ? 'virt' : 'virt,gic-version=max'}${memory}`;
  // Only code in system management mode may write the variables that Secure Boot trusts.
  return `${spec.firmware === 'uefi-secure' ? 'q35,smm=on' : 'q35,smm=off'}${memory}`;
}

function servesFolders({ shares = [] }: GuestSpec): boolean {
  return shares.some(({ kind }) => kind === 'virtiofs');
}

/** The program that serves a folder reads and writes the guest's memory itself. */
function sharedMemory(spec: GuestSpec): string[] {
  return servesFolders(spec) ? ['-object', `memory-backend-memfd,id=ram,size=${memoryMiB(spec)}M,share=on`] : [];
}

/** Ports that disks can be plugged into while the machine runs; its own bus takes none then. */
function slotArguments(slots = 0): string[] {
  return Array.from({ length: slots }, (_, slot) => [
    '-device',
    `pcie-root-port,id=${slotBus(slot)},chassis=${slot + 1},addr=${hex(FIRST_SLOT + slot)}`,
  ]).flat();
}

/** Where the slots begin on the machine's bus: behind whatever QEMU places itself, so that those keep their addresses and the guest its names for them. */
const FIRST_SLOT = 16;
const hex = (value: number): string => `0x${value.toString(16)}`;

/** The bus of a hot-plug slot. */
export function slotBus(slot: number): string {
  return `slot${slot}`;
}

function shareArguments({ tag, kind, host, readOnly }: GuestShare, files: GuestFiles): string[] {
  if (kind === 'virtiofs') return ['-chardev', `socket,id=${tag},path=${escape(files.share(tag))}`, '-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag}`];
  const served = `local,id=${tag},path=${escape(host)},security_model=none,multidevs=remap,readonly=${readOnly ? 'on' : 'off'}`;
  return ['-fsdev', served, '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}

function tpmArguments({ tpm, arch }: GuestSpec, files: GuestFiles): string[] {
  if (tpm !== true) return [];
  const device = arch === 'amd64' ? 'tpm-crb' : 'tpm-tis-device';
  return ['-chardev', `socket,id=tpm,path=${escape(files.tpm)}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm', '-device', `${device},tpmdev=tpm0`];
}

/** The accelerator and the processor that goes with it: all that the host has, or all that QEMU can emulate. */
export function acceleratorArguments(accelerator: Pick<Accelerator, 'kind'>): string[] {
  if (accelerator.kind === 'tcg') return ['-accel', 'tcg,thread=multi', '-cpu', 'max'];
  return ['-accel', accelerator.kind, '-cpu', 'host'];
}

function firmwareArguments(spec: GuestSpec, firmware: FirmwareFiles | undefined): string[] {
  if (firmware === undefined) return [];
  const flash = (unit: number, path: string, readOnly: boolean): string[] => [
    '-blockdev',
    JSON.stringify({ driver: 'raw', 'node-name': `flash${unit}`, 'read-only': readOnly, file: { driver: 'file', filename: path } }),
  ];
  return [
    ...(spec.firmware === 'uefi-secure' ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...flash(0, firmware.code, true),
    ...flash(1, guestFiles(spec.folder).efiVariables, false),
    ...['-machine', 'pflash0=flash0,pflash1=flash1'],
  ];
}

/** QEMU's own network for a guest: it reaches what the host reaches, and is reached through the ports that are forwarded. */
function userNetwork(spec: GuestSpec): string {
  const ssh = { protocol: 'tcp', address: '127.0.0.1', host: spec.ssh.port, guest: spec.ssh.guestPort ?? 22 } as const;
  const forwards = [ssh, ...(spec.forwards ?? [])].map(({ protocol, address, host, guest }) => `hostfwd=${protocol}:${address}:${host}-:${guest}`);
  return ['user', 'id=net0', ...(spec.isolated === true ? ['restrict=on'] : []), ...forwards].join(',');
}

/** With `localaddr` the packets leave by the loopback interface alone, whatever routes the host has for multicast. */
function networkArguments(network: GuestNetwork | undefined): string[] {
  if (network === undefined) return [];
  const { mac, group, port } = network;
  return ['-netdev', `socket,id=net1,mcast=${group}:${port},localaddr=127.0.0.1`, '-device', `virtio-net-pci,netdev=net1,mac=${mac},romfile=`];
}

const node = (description: Readonly<Record<string, unknown>>): string[] => ['-blockdev', JSON.stringify(description)];

function diskArguments(disk: GuestDisk, boot: boolean, disposable: boolean): string[] {
  // Index 0 belongs to a kernel given to QEMU.
  const { driver, id, drive, serial, ...rest } = diskProperties(disk);
  const words = [
    driver,
    `id=${id}`,
    `drive=${drive}`,
    ...(boot ? ['bootindex=1'] : []),
    `serial=${serial}`,
    ...Object.entries(rest).map((pair) => pair.join('=')),
  ];
  return [...diskNodes(disk, disposable).flatMap(node), '-device', words.join(',')];
}

/** A disk with its whole chain as an explicit graph, bottom first: QEMU never follows a name in a header. */
export function diskNodes(disk: GuestDisk, disposable: boolean): Record<string, unknown>[] {
  const layer = (index: number): string => `${disk.name}-layer${index}`;
  const layers = disk.chain.map((filename, index) => ({
    driver: 'qcow2',
    'node-name': layer(index),
    'read-only': true,
    file: { driver: 'file', filename, 'read-only': true },
    backing: index === 0 ? null : layer(index - 1),
  }));
  return [...layers, { ...writableNode(disk, disposable), backing: disk.chain.length === 0 ? null : layer(disk.chain.length - 1) }];
}

/** The device of a disk. */
export function diskProperties(disk: Pick<GuestDisk, 'name' | 'file' | 'slot'>) {
  const { name, slot } = disk;
  const bus = slot === undefined ? {} : { bus: slotBus(slot) };
  return { driver: 'virtio-blk-pci', id: diskDevice(name), drive: writableNode(disk, false)['node-name'], serial: name, ...bus };
}

/** The block node of the file that a disk writes to, without what it stands on. (QEMU: qapi/block-core.json, BlockdevOptions.) */
export function writableNode(disk: Pick<GuestDisk, 'name' | 'file'>, disposable: boolean) {
  const cache = { direct: false, 'no-flush': disposable };
  return {
    driver: 'qcow2',
    'node-name': `${disk.name}-${basename(disk.file, '.qcow2')}`,
    discard: 'unmap',
    cache,
    file: { driver: 'file', filename: disk.file, discard: 'unmap', cache },
  };
}

/** What QEMU calls the device of a disk. */
export function diskDevice(name: string): string {
  return `disk-${name}`;
}

function seedArguments(seed: HostPath | undefined): string[] {
  if (seed === undefined) return [];
  const file = { driver: 'file', filename: seed, 'read-only': true };
  return [...node({ driver: 'raw', 'node-name': 'seed', 'read-only': true, file }), '-device', 'virtio-blk-pci,drive=seed,serial=seed'];
}

/** A drive as every installer knows it: SATA where the board has it, SCSI elsewhere. */
function cdromArguments({ cdrom, arch }: GuestSpec): string[] {
  if (cdrom === undefined) return [];
  const medium = node({ driver: 'raw', 'node-name': 'cdrom', 'read-only': true, file: { driver: 'file', filename: cdrom, 'read-only': true } });
  const drive = arch === 'amd64' ? ['-device', 'ide-cd,drive=cdrom'] : ['-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=cdrom'];
  return [...medium, ...drive];
}

function kernelArguments({ kernel }: GuestSpec): string[] {
  if (kernel === undefined) return [];
  return ['-kernel', kernel.image, ...(kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd]), '-append', kernel.append];
}

/** A character device that QEMU listens for on a socket. */
export function socket(id: string, path: string): string {
  return `socket,id=${id},path=${escape(path)},server=on,wait=off`;
}

/** In QEMU's option lists a comma in a value is written twice. */
export function escape(value: string): string {
  return value.replaceAll(',', ',,');
}
