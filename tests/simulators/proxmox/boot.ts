import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPath } from '../../../src/base/types.ts';
import { makeIso } from '../../../src/platforms/seed-iso.ts';
import { bootMachine, overlayOn } from '../machine.ts';
import type { Boot, BootRequest } from './model.ts';

/** What Proxmox VE writes on a cloud-init drive for Linux: NoCloud, with the hostname, the user and its keys (PVE/QemuServer/Cloudinit.pm). */
function cloudInitDrive({ instance, name, cloudInit, nics }: BootRequest): Uint8Array {
  const { user, sshKeys, ipConfig } = cloudInit;
  const userData = {
    hostname: name,
    manage_etc_hosts: true,
    fqdn: name,
    user,
    ssh_authorized_keys: sshKeys.split('\n').filter((line) => line !== ''),
    chpasswd: { expire: false },
    users: ['default'],
    package_upgrade: false,
  };
  const subnet = ipConfig === '' || ipConfig.includes('ip=dhcp') ? { type: 'dhcp4' } : { type: 'static', address: /ip=([^,]+)/.exec(ipConfig)?.[1] };
  const network = { version: 1, config: [{ type: 'physical', name: 'eth0', mac_address: macOf(nics)?.toLowerCase(), subnets: [subnet] }] };
  return makeIso(
    'cidata',
    new Map([
      ['user-data', Buffer.from(`#cloud-config\n${JSON.stringify(userData)}\n`)],
      ['meta-data', Buffer.from(`instance-id: ${instance}\n`)],
      ['network-config', Buffer.from(`${JSON.stringify(network)}\n`)],
    ]),
  );
}

/** Boots machines of the simulator from the bytes that it received, on the buses, card and board that the requests named; each gets an address of 192.0.2.0/24. */
export function qemuBoot(folder: HostPath, home: HostPath): Boot {
  let last = 100;
  return async (request) => {
    last += 1;
    const devices: string[] = [];
    if (request.disks.some(({ device }) => device.startsWith('scsi')) || request.cloudInit.device?.startsWith('scsi') === true) {
      if (!request.controller.startsWith('virtio-scsi')) throw new Error(`the simulator boots no disks on ${request.controller}`);
      devices.push('-device', 'virtio-scsi-pci,id=scsi');
    }
    if (request.bios !== 'seabios') throw new Error(`the simulator boots no ${request.bios}`);
    for (const [index, { device, file, size }] of request.disks.entries()) {
      if (file === undefined) throw new Error(`nothing was uploaded for ${device}`);
      const overlay = join(folder, `${request.instance}-${device}.qcow2`);
      await overlayOn(overlay, file, 'qcow2', size);
      devices.push(
        '-drive',
        `if=none,id=${device},file=${overlay},format=qcow2,discard=unmap`,
        '-device',
        `${frontEnd(device, 'hd')},drive=${device},bootindex=${index}`,
      );
    }
    if (request.cloudInit.device !== undefined) {
      const drive = join(folder, `${request.instance}-cloudinit.iso`);
      await writeFile(drive, cloudInitDrive(request), { mode: 0o600 });
      devices.push(
        '-drive',
        `if=none,id=cloudinit,file=${drive},format=raw,readonly=on`,
        '-device',
        `${frontEnd(request.cloudInit.device, 'cd')},drive=cloudinit`,
      );
    }
    const model = request.nics[0]?.startsWith('virtio') === true ? 'virtio-net-pci' : 'e1000';
    const card = `${model},mac=${macOf(request.nics) ?? ''}`;
    const machine = request.machine.includes('q35') ? 'q35' : 'pc';
    const { cores: cpus, memory } = request;
    return await bootMachine({ name: `vm-${request.vmid}`, folder, home, machine, cpus, memory, devices, card, address: `192.0.2.${last}` });
  };
}

function macOf(nics: readonly string[]): string | undefined {
  return /^\w+=([0-9A-F:]+)/.exec(nics[0] ?? '')?.[1];
}

function frontEnd(device: string, kind: 'hd' | 'cd'): string {
  const number = Number(/\d+$/.exec(device)?.[0] ?? 0);
  if (device.startsWith('scsi')) return `scsi-${kind},bus=scsi.0,scsi-id=${number}`;
  if (device.startsWith('virtio')) return 'virtio-blk-pci';
  return `ide-${kind},bus=ide.${number}`;
}
