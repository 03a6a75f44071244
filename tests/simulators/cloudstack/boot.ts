import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { HostPath } from '../../../src/base/types.ts';
import { writeIso } from '../../support/iso.ts';
import { bootMachine, overlayOn, type BootedMachine } from '../machine.ts';
import { GIB, type Boot, type BootRequest } from './model.ts';
import type { VirtualRouter } from './router.ts';

/*
 * Boots instances of the simulator from the bytes that it received: with what KVM gives them on CloudStack (i440FX, a virtio disk where the details say so, and
 * a DMI name by which cloud-init knows the platform), and what they are told by a virtual router or on a ConfigDrive.
 */

export interface BootOptions {
  /** Where overlays, drives and consoles lie. */
  readonly folder: HostPath;
  readonly home: HostPath;
  /** What tells the guest who it is; without one, a ConfigDrive does. One guest at a time can ask it. */
  readonly router: VirtualRouter | undefined;
}

/** What CloudStack writes on a ConfigDrive, as far as a guest reads it. */
export function configDrive({ id, metadata }: BootRequest): Record<string, string> {
  const { hostname, publicKeys, userData, password } = metadata;
  const user = userData === undefined ? undefined : Buffer.from(userData, 'base64').toString();
  return {
    'openstack/latest/meta_data.json': JSON.stringify({ uuid: id, hostname, name: hostname, public_keys: { key: publicKeys } }),
    'openstack/latest/vendor_data.json': '{}',
    'cloudstack/metadata/local-hostname.txt': hostname,
    'cloudstack/metadata/public-keys.txt': publicKeys,
    'cloudstack/metadata/instance-id.txt': id,
    ...(user === undefined ? {} : { 'openstack/latest/user_data': user, 'cloudstack/userdata/user_data.txt': user }),
    ...(password === undefined ? {} : { 'cloudstack/password/vm_password.txt': password }),
  };
}

export function qemuBoot({ folder, home, router }: BootOptions): Boot {
  let last = 150;
  return async (request) => {
    last += 1;
    const address = `192.0.2.${last}`;
    const { id, name, file, rootDisk, details } = request;
    if (request.hypervisor !== 'KVM' || request.format !== 'QCOW2') throw new Error(`the simulator boots no ${request.format} on ${request.hypervisor}`);
    if (request.bootType === 'UEFI') throw new Error('the simulator boots no UEFI');
    const overlay = join(folder, `${id}.qcow2`);
    await overlayOn(overlay, file, 'qcow2', (rootDisk ?? 10) * GIB);
    const mac = `06:00:${[...randomBytes(4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
    const devices = [
      ...['-smbios', 'type=1,manufacturer=Apache Software Foundation,product=CloudStack KVM Hypervisor'],
      ...['-drive', `if=none,id=root,file=${overlay},format=qcow2,discard=unmap`],
      ...['-device', `${details['rootDiskController'] === 'virtio' ? 'virtio-blk-pci' : 'ide-hd'},drive=root,bootindex=0`],
    ];
    if (router === undefined) {
      const drive = join(folder, `${id}.iso`);
      await writeIso(drive, 'config-2', configDrive(request));
      devices.push('-drive', `if=none,id=config,file=${drive},format=raw,readonly=on`, '-device', 'ide-cd,drive=config');
    } else router.tell(request);
    const start = (): Promise<BootedMachine> =>
      bootMachine({
        ...{ name, folder, home, devices, address },
        ...{ machine: 'pc', cpus: request.cpus, memory: request.memory, card: `virtio-net-pci,mac=${mac}` },
      });
    let machine = await start();
    return {
      address: () => address,
      activity: () => machine.said(),
      async reboot() {
        await machine.stop();
        machine = await start();
      },
      stop: () => machine.stop(),
    };
  };
}
