import { basename } from 'node:path';
import type { Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import type { FirmwareFiles } from './firmware.ts';
import { guestFiles, type Accelerator, type Architecture, type GuestDisk, type GuestSpec } from './guest-spec.ts';

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
    ...['-machine', machine(spec), ...acceleratorArguments(spec.accelerator)],
    ...['-smp', String(spec.cpus), '-m', `${Math.ceil(spec.memory / 2 ** 20)}M`, '-rtc', 'base=utc'],
    ...firmwareArguments(spec, options.firmware),
    ...spec.disks.flatMap((disk, index) => diskArguments(disk, index === 0, options.disposable)),
    ...seedArguments(spec.seed),
    ...['-netdev', userNetwork(spec)],
    // Without its ROM the card cannot boot from the network, and the firmware does not try.
    ...['-device', `virtio-net-pci,netdev=net0,mac=${spec.mac},romfile=`],
    ...['-device', 'virtio-rng-pci', '-device', spec.arch === 'amd64' ? 'VGA' : 'ramfb'],
    ...['-chardev', socket('agent', files.agent), '-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', `${socket('serial', files.serial)},logfile=${escape(files.console)},logappend=off`, '-serial', 'chardev:serial'],
    ...['-chardev', socket('qmp', files.qmp), '-mon', 'chardev=qmp,mode=control'],
    ...['-pidfile', files.pid],
    ...kernelArguments(spec),
  ];
}

function machine(spec: GuestSpec): string {
  // The default interrupt controller serves 8 processors at most; QEMU has no other for HVF.
  if (spec.arch === 'arm64') return spec.accelerator.kind === 'hvf' ? 'virt' : 'virt,gic-version=max';
  // Only code in system management mode may write the variables that Secure Boot trusts.
  return spec.firmware === 'uefi-secure' ? 'q35,smm=on' : 'q35,smm=off';
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

const node = (description: Readonly<Record<string, unknown>>): string[] => ['-blockdev', JSON.stringify(description)];

/** A disk with its whole chain as an explicit graph: QEMU never follows a name in a header. */
function diskArguments(disk: GuestDisk, boot: boolean, disposable: boolean): string[] {
  const layer = (index: number): string => `${disk.name}-layer${index}`;
  const layers = disk.chain.flatMap((filename, index) =>
    node({
      driver: 'qcow2',
      'node-name': layer(index),
      'read-only': true,
      file: { driver: 'file', filename, 'read-only': true },
      backing: index === 0 ? null : layer(index - 1),
    }),
  );
  const top = { ...writableNode(disk, disposable), backing: disk.chain.length === 0 ? null : layer(disk.chain.length - 1) };
  // Index 0 belongs to a kernel given to QEMU.
  const device = `virtio-blk-pci,id=${diskDevice(disk.name)},drive=${top['node-name']}${boot ? ',bootindex=1' : ''},serial=${disk.name}`;
  return [...layers, ...node(top), '-device', device];
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
