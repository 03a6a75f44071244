import { join } from 'node:path';
import type { Argv } from '../../base/process.ts';
import type { Machine } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { Accelerator, Architecture } from '../../platforms/local/guest-spec.ts';
import { acceleratorArguments, escape, qemuProgram, SANDBOX, socket } from '../../platforms/local/qemu-arguments.ts';
import type { HelperFiles } from './build.ts';
import { HELPER_PORT, SHELL_PORT } from './init.ts';

/** Everything that the helper VM is started from. */
export interface VmSpec {
  readonly arch: Architecture;
  readonly accelerator: Pick<Accelerator, 'kind'>;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  readonly files: HelperFiles;
}

/** The files in the folder of a running helper VM. */
export interface VmFiles {
  readonly qmp: HostPath;
  readonly helper: HostPath;
  readonly shell: HostPath;
  /** For the time in which its state is saved. */
  readonly state: HostPath;
  readonly console: HostPath;
  readonly log: HostPath;
}

/** Names the files in the folder of a running helper VM. */
export function vmFiles(folder: string): VmFiles {
  const at = (name: string): HostPath => hostPath(join(folder, name));
  return { qmp: at('qmp.sock'), helper: at('helper.sock'), shell: at('shell.sock'), state: at('state.sock'), console: at('console.log'), log: at('qemu.log') };
}

/** Processors and memory of a helper VM on a host: they are part of a saved state, so that they do not depend on what is free just now. */
export function vmSize(machine: Pick<Machine, 'cpus' | 'memory'>): { cpus: number; memory: number } {
  return { cpus: Math.max(1, Math.min(machine.cpus, 8)), memory: machine.memory >= 6 * 2 ** 30 ? 2048 : 1024 };
}

/** What a saved state of the machine is bound to, besides QEMU and processor: all words that do not name a path. */
export function vmShape(spec: VmSpec): readonly string[] {
  const nowhere = { kernel: hostPath('/k'), initrd: hostPath('/i'), root: hostPath('/r') };
  return vmArguments({ ...spec, files: nowhere }, vmFiles('/'), { sandbox: false, incoming: false });
}

/** The command line of QEMU for the helper VM. Disks of images are added once it runs. */
export function vmArguments(spec: VmSpec, files: VmFiles, options: { sandbox: boolean; incoming: boolean }): Argv {
  const arm = spec.arch === 'arm64';
  const append = `console=${arm ? 'ttyAMA0' : 'ttyS0'} quiet loglevel=4 panic=-1 mitigations=off`;
  const root = { driver: 'raw', 'node-name': 'root', 'read-only': true, file: { driver: 'file', filename: spec.files.root, 'read-only': true } };
  return [
    qemuProgram(spec.arch),
    ...['-name', 'ingot-helper', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...(options.sandbox ? SANDBOX : []),
    ...['-machine', arm ? (spec.accelerator.kind === 'hvf' ? 'virt' : 'virt,gic-version=max') : 'q35,smm=off', ...acceleratorArguments(spec.accelerator)],
    ...['-smp', String(spec.cpus), '-m', `${spec.memory}M`, '-rtc', 'base=utc'],
    ...['-kernel', spec.files.kernel, '-initrd', spec.files.initrd, '-append', append],
    ...['-blockdev', JSON.stringify(root), '-device', 'virtio-blk-pci,drive=root'],
    ...['-device', 'virtio-scsi-pci,id=scsi', '-device', 'virtio-rng-pci'],
    // Without its ROM the card cannot boot from the network, and the firmware does not try.
    ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,mac=52:54:00:12:34:56,romfile='],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', socket('helper', files.helper), '-device', `virtserialport,chardev=helper,name=${HELPER_PORT}`],
    ...['-chardev', socket('shell', files.shell), '-device', `virtserialport,chardev=shell,name=${SHELL_PORT}`],
    ...['-chardev', `file,id=console,path=${escape(files.console)}`, '-serial', 'chardev:console'],
    ...['-chardev', socket('qmp', files.qmp), '-mon', 'chardev=qmp,mode=control'],
    ...(options.incoming ? ['-incoming', 'defer'] : []),
  ];
}
