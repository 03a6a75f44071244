import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { chainNodes, type BlockNode } from '../../disk/blockdev.ts';
import { makeExt4Image } from '../../disk/ext4-image.ts';
import { emptyQcow2 } from '../../disk/qcow2.ts';
import type { ExecuteOptions } from '../executor.ts';
import type { AttachedDisk, AttachOptions, Place, PlaceOptions } from '../place.ts';
import type { VmContext } from './helper-image.ts';
import { FOLDER_INSIDE } from './init.ts';
import { startHelperVm, type HelperVm } from './start.ts';

/** Targets of the SCSI controller; a number is used again only when all others have been. */
const TARGETS = 255;
/** Seconds for the guest to see a disk, and for QEMU to let go of one. */
const DISK_SECONDS = 120;
/** Seconds for copying a whole disk. */
const COPY_SECONDS = 3600;
/** Bytes; the file is sparse. */
const ROOM = 32 * 2 ** 30;

/**
 * Opens disks in the helper VM: no root on this host, and a kernel between an image's file systems and the host's. Disks come and go
 * while it runs. Throws what starting the VM throws.
 */
export async function openVmPlace(context: VmContext, options: Omit<PlaceOptions, 'kind'>): Promise<Place> {
  const vm = await startHelperVm(context, { scratch: options.scratch, offline: options.offline === true });
  return new VmPlace(context, vm, options.scratch);
}

class VmPlace implements Place {
  readonly kind = 'vm';
  readonly sharesFolders = false;
  readonly folder = FOLDER_INSIDE;
  readonly #context: VmContext;
  readonly #vm: HelperVm;
  readonly #scratch: HostPath;
  #count = 0;
  #network: Promise<string> | undefined;

  constructor(context: VmContext, vm: HelperVm, scratch: HostPath) {
    this.#context = context;
    this.#vm = vm;
    this.#scratch = scratch;
  }

  get executor(): HelperVm['executor'] {
    return this.#vm.executor;
  }

  async provide(folder: HostPath): Promise<string> {
    const { host, signal } = this.#context;
    const name = this.#nextName();
    const image = hostPath(join(this.#scratch, `${name}.ext4`));
    await makeExt4Image(host, folder, image, { label: 'provided', signal });
    const file = { driver: 'file', 'node-name': `${name}-file`, filename: image, 'read-only': true };
    const { path } = await this.#add([file, { driver: 'raw', 'node-name': name, file: file['node-name'], 'read-only': true }]);
    const mount = join(this.folder, name);
    await this.executor.run(['sh', '-ec', 'mkdir "$2"; mount -t ext4 -o ro,noatime "$1" "$2"', 'sh', path, mount]);
    // QEMU has it open: nothing is left to sweep, however this ends.
    await host.files.remove(image);
    return mount;
  }

  async attach(options: AttachOptions): Promise<AttachedDisk> {
    return await this.#attach(options);
  }

  async room(): Promise<string> {
    const overlay = hostPath(join(this.#scratch, `${this.#nextName()}.qcow2`));
    await this.#context.host.files.write(overlay, emptyQcow2({ virtualSize: ROOM }), { mode: 0o600 });
    const { path } = await this.#attach({ chain: [], overlay, scratch: this.#scratch });
    const folder = join(this.folder, this.#nextName());
    const script = 'mke2fs -q -F -t ext4 -O ^has_journal -m 0 "$1"; mkdir "$2"; mount -o noatime "$1" "$2"; rmdir "$2/lost+found"';
    await this.executor.run(['sh', '-ec', script, 'sh', path, folder], { timeout: DISK_SECONDS });
    return folder;
  }

  /** Copies the disk to this host first: the program is a host's, and needs neither the VM nor its rights. */
  async readDisk(raw: string, command: (path: string) => Argv, options: Pick<ExecuteOptions, 'timeout' | 'onLine'> = {}): Promise<void> {
    const { host, signal } = this.#context;
    const { stdout } = await this.executor.run(['stat', '--dereference', '--format=%s', raw]);
    const copy = hostPath(join(this.#scratch, `${this.#nextName()}.raw`));
    await host.files.write(copy, '', { mode: 0o600 });
    await host.files.truncate(copy, Number(stdout));
    try {
      const file = { driver: 'file', 'node-name': `${this.#nextName()}-file`, filename: copy, discard: 'unmap', cache: { 'no-flush': true } };
      const disk = await this.#add([
        file,
        { driver: 'raw', 'node-name': this.#nextName(), file: file['node-name'], discard: 'unmap', 'detect-zeroes': 'unmap' },
      ]);
      await this.executor.run(['dd', `if=${raw}`, `of=${disk.path}`, 'bs=1M', 'conv=sparse,fsync', 'status=none'], { timeout: COPY_SECONDS });
      await disk.remove();
      await host.processes.run(command(copy), { signal, ...options });
    } finally {
      await host.files.remove(copy);
    }
  }

  async #attach(options: AttachOptions): Promise<AttachedDisk> {
    const { host, signal } = this.#context;
    const top = this.#nextName();
    const disk = await this.#add(chainNodes([...options.chain, options.overlay], { top, writable: true, prefix: `${top}-`, cache: 'unsafe' }));
    let attached = true;
    const detach = async (): Promise<void> => {
      if (!attached) return;
      attached = false;
      await disk.remove();
    };
    return {
      path: disk.path,
      detach: async () => {
        await detach();
        await host.processes.run(['qemu-img', 'check', '-q', '-U', options.overlay], { signal });
      },
      // A VM that is gone holds nothing any more, and one that is stopped is about to go.
      [Symbol.asyncDispose]: () => detach().catch(() => undefined),
    };
  }

  network(): Promise<string> {
    return (this.#network ??= this.#configureNetwork());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vm[Symbol.asyncDispose]();
  }

  /** Addresses of QEMU's user-mode network, which are always these (QEMU: docs/system/devices/net.rst). */
  async #configureNetwork(): Promise<string> {
    const path = join(this.folder, 'resolv.conf');
    const script = [
      'device=$(ls /sys/class/net | grep -v "^lo$" | head -n 1)',
      'busybox ip link set "$device" up',
      'busybox ip addr add 10.0.2.15/24 dev "$device"',
      'busybox ip route add default via 10.0.2.2',
      'echo nameserver 10.0.2.3 >"$1"',
    ];
    await this.executor.run(['sh', '-ec', script.join('\n'), 'sh', path], { timeout: DISK_SECONDS });
    return path;
  }

  #nextName(): string {
    return `disk-${(this.#count += 1)}`;
  }

  /** Adds a graph of block nodes as a disk; the last one is what the guest sees. */
  async #add(nodes: readonly BlockNode[]): Promise<{ path: string; remove: () => Promise<void> }> {
    await using undo = new AsyncDisposableStack();
    for (const node of nodes) {
      await this.#monitor('blockdev-add', node);
      undo.defer(() => this.#monitor('blockdev-del', { 'node-name': node['node-name'] }));
    }
    const name = nodes.at(-1)?.['node-name'] ?? '';
    const target = this.#count % TARGETS;
    // A full disk of the host is an error of the write, as it is on a real disk; QEMU would stop the machine.
    const errors = { werror: 'report', rerror: 'report' };
    const device = { driver: 'scsi-hd', id: `${name}-device`, drive: name, bus: 'scsi.0', 'scsi-id': target, lun: 0, serial: name, ...errors };
    await this.#monitor('device_add', device);
    undo.defer(() => this.#removeDevice(device.id));
    const [path] = await Promise.all([this.#findDisk(target), this.#vm.fresh]);
    undo.defer(() => this.executor.run(['sh', '-c', 'echo 1 >"/sys/block/${1##*/}/device/delete"', 'sh', path], { timeout: 300 }).then(() => undefined));
    const owned = undo.move();
    return { path, remove: () => owned.disposeAsync() };
  }

  async #findDisk(target: number): Promise<string> {
    const script = `
      for host in /sys/class/scsi_host/host*; do echo "0 $1 0" >"$host/scan"; done
      while :; do
        for disk in /sys/bus/scsi/devices/*:0:"$1":0/block/*; do
          if [ -b "/dev/\${disk##*/}" ]; then echo "/dev/\${disk##*/}"; exit; fi
        done
        sleep 0.01
      done`;
    const { stdout } = await this.executor.run(['sh', '-c', script, 'sh', String(target)], { timeout: DISK_SECONDS });
    return stdout.trim();
  }

  async #removeDevice(id: string): Promise<void> {
    const { qmp } = this.#vm;
    const removed = Promise.withResolvers<void>();
    const stop = qmp.onEvent(({ name, data }) => {
      if (name === 'DEVICE_DELETED' && data['device'] === id) removed.resolve();
    });
    const late = setTimeout(
      () => removed.reject(new IngotError('host', 'workspace-lost', `The helper VM did not let go of a disk within ${DISK_SECONDS} s`)),
      DISK_SECONDS * 1000,
    );
    try {
      await this.#monitor('device_del', { id });
      await removed.promise;
    } finally {
      clearTimeout(late);
      stop();
    }
  }

  /** Asks QEMU; where it is gone, the workspace is. */
  async #monitor(command: string, parameters: Readonly<Record<string, unknown>>): Promise<void> {
    try {
      await this.#vm.qmp.execute(command, parameters, DISK_SECONDS);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code === 'qemu-refused') throw error;
      throw new IngotError('host', 'workspace-lost', 'The helper VM ended before its work was done', { cause: error, detail: await this.#vm.lastWords() });
    }
  }
}
