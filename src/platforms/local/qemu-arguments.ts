import type { Argv } from '../../base/process.ts';
import type { FirmwareFiles } from './firmware.ts';
import { guestFiles, type Accelerator, type Architecture, type GuestSpec } from './guest-spec.ts';

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
    ...diskArguments(spec, options.disposable),
    ...['-netdev', `user,id=net0,${spec.isolated === true ? 'restrict=on,' : ''}hostfwd=tcp:127.0.0.1:${spec.ssh.port}-:${spec.ssh.guestPort ?? 22}`],
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

/** The whole chain as an explicit graph: QEMU never follows a name in a header. */
function diskArguments(spec: GuestSpec, disposable: boolean): string[] {
  const words: string[] = [];
  const node = (description: Readonly<Record<string, unknown>>): void => void words.push('-blockdev', JSON.stringify(description));
  const fileOf = (filename: string, readOnly: boolean) => ({
    driver: 'file',
    filename,
    ...(readOnly ? { 'read-only': true } : { discard: 'unmap', cache: { direct: false, 'no-flush': disposable } }),
  });
  for (const [index, path] of spec.chain.entries()) {
    node({ driver: 'qcow2', 'node-name': `layer${index}`, 'read-only': true, file: fileOf(path, true), backing: index === 0 ? null : `layer${index - 1}` });
  }
  const cache = { direct: false, 'no-flush': disposable };
  node({
    driver: 'qcow2',
    'node-name': 'disk',
    discard: 'unmap',
    cache,
    file: fileOf(spec.disk, false),
    backing: spec.chain.length === 0 ? null : `layer${spec.chain.length - 1}`,
  });
  // Index 0 belongs to a kernel given to QEMU.
  words.push('-device', 'virtio-blk-pci,drive=disk,bootindex=1,serial=disk');
  if (spec.seed !== undefined) {
    node({ driver: 'raw', 'node-name': 'seed', 'read-only': true, file: fileOf(spec.seed, true) });
    words.push('-device', 'virtio-blk-pci,drive=seed,serial=seed');
  }
  return words;
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
