import { parseProperties } from './properties.ts';
import type { PveConfig } from './answers.ts';

const DISK = /^(?:scsi|virtio|sata|ide)\d+$|^(?:efidisk|tpmstate)0$/;
const BASE = /(?:^|\/)base-\d+-/;

export interface VmDisk {
  /** `scsi0` */
  readonly device: string;
  /** `local-lvm:base-100-disk-0`, or with what it stands on: `local:100/base-100-disk-0.qcow2/105/vm-105-disk-0.qcow2` */
  readonly volume: string;
}

/** The disks of a VM with content of their own: without CD-ROMs and the cloud-init drive, which is made anew for each VM. */
export function disksOf(config: PveConfig): VmDisk[] {
  return Object.entries(config).flatMap(([device, value]) => {
    if (!DISK.test(device)) return [];
    const properties = parseProperties(value);
    const volume = properties['file'] ?? properties['volume'] ?? properties[''] ?? '';
    return properties['media'] === 'cdrom' || /cloudinit/.test(volume) || volume === 'none' ? [] : [{ device, volume }];
  });
}

/** Whether a volume is a base that linked clones stand on. */
export function isBase(volume: string): boolean {
  const name = volume.slice(volume.indexOf(':') + 1);
  return BASE.test(`/${name.split('/').at(-1) ?? ''}`);
}

/** The disks that are no bases, though the VM is called a template: their conversion was cut, or the storage cannot do it. */
export function unconverted(config: PveConfig): VmDisk[] {
  return disksOf(config).filter(({ volume }) => !isBase(volume));
}

/** Whether a VM has a disk that stands on one of a template's. */
export function standsOn(config: PveConfig, template: number): boolean {
  const base = new RegExp(`(?:^|[:/])base-${template}-[^/]*/`);
  return disksOf(config).some(({ volume }) => base.test(volume));
}

export function isTemplate(config: PveConfig): boolean {
  return config['template'] === '1' || config['template'] === 'true';
}
