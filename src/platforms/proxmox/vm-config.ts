import { IngotError } from '../../base/errors.ts';
import type { MachineWish, PublishedImage } from '../platform.ts';
import { ipConfig } from './address.ts';
import { propertyString } from './properties.ts';
import type { Parameters } from './requests.ts';

/** Where the machine is made, and what is made of it. */
export interface VmPlan {
  readonly vmid: number;
  readonly name: string;
  readonly diskStorage: string;
  /** Said for file storages alone: naming one on block devices is an error. */
  readonly diskFormat: 'qcow2' | undefined;
  /** The volume that was uploaded. */
  readonly source: string;
  /** A file storage for the copy in between, where the source is not on one. */
  readonly workingStorage?: string | undefined;
  readonly description: string;
  readonly tags: readonly string[];
}

/** What holds where nobody wishes for something else. */
const DEFAULTS = { cpus: 2, memory: 2048, bridge: 'vmbr0' } as const;
/** Half of what the baseline of the distribution's compiler needs runs everywhere since 2009; a guest that cannot start on a node fails its trial. */
const CPU_TYPE = 'x86-64-v2-AES';
const CPU_TYPE_V3 = 'x86-64-v3';
/** Releases whose programs need the instructions of x86-64-v3. */
const NEEDS_V3 = /^(?:rhel|rocky|almalinux|almalinux-kitten|centos-stream|oraclelinux)-1\d/;

/** The processor that a release needs, as old as it may be: so that the template moves between nodes. */
export function cpuTypeFor(release: string, architecture: string): string {
  if (architecture !== 'amd64') return 'max';
  return NEEDS_V3.test(release) ? CPU_TYPE_V3 : CPU_TYPE;
}

/**
 * Where the cloud-init drive is attached. The small cloud kernel has no driver for the AHCI and IDE controllers that an `ide` drive hangs on: the guest
 * would find no drive, and boot without user and network.
 */
export function cloudInitDevice(kernel: string): 'scsi1' | 'ide2' {
  return kernel === 'cloud' ? 'scsi1' : 'ide2';
}

/** The parameters that make the VM of a template. Pure. Throws `machine-invalid`. */
export function vmConfig(plan: VmPlan, image: Pick<PublishedImage, 'architecture' | 'details'>, wish: MachineWish): Parameters {
  const { details } = image;
  const firmware = wish.firmware ?? (details.disk.firmware === 'uefi' || image.architecture === 'arm64' ? 'uefi' : 'bios');
  if (image.architecture !== 'amd64') {
    throw new IngotError('usage', 'machine-invalid', `Images for ${image.architecture} cannot be published to Proxmox VE`, {
      hint: 'It runs on amd64 alone, so far as it is released.',
    });
  }
  const { diskStorage } = plan;
  return {
    vmid: plan.vmid,
    name: plan.name,
    description: plan.description,
    tags: plan.tags.join(';'),
    ostype: 'l26',
    cores: wish.cpus ?? DEFAULTS.cpus,
    cpu: wish.cpuType ?? cpuTypeFor(details.release, image.architecture),
    numa: wish.numa ?? false,
    memory: wish.memory ?? DEFAULTS.memory,
    balloon: wish.balloon,
    onboot: wish.startWithHost === true ? true : undefined,
    pool: wish.pool,
    ...firmwareOf(firmware, diskStorage),
    ...(wish.tpm === true ? { tpmstate0: propertyString(`${diskStorage}:1`, { version: 'v2.0' }) } : {}),
    scsihw: 'virtio-scsi-single',
    // The size is that of the source: any other than 0 is refused.
    scsi0: propertyString(`${diskStorage}:0`, { 'import-from': plan.source, format: plan.diskFormat, discard: 'on', ssd: true, iothread: true }),
    'import-working-storage': plan.workingStorage,
    [cloudInitDevice(details.kernel)]: `${diskStorage}:cloudinit`,
    boot: 'order=scsi0',
    // A guest without a serial device can panic when its root grows; the image speaks on it, too.
    serial0: 'socket',
    vga: wish.display === 'std' ? 'std' : 'serial0',
    agent: propertyString('1', { fstrim_cloned_disks: true }),
    net0: propertyString('virtio', {
      bridge: wish.bridge ?? DEFAULTS.bridge,
      tag: wish.vlan,
      mtu: wish.mtu,
      firewall: wish.firewall === true ? true : undefined,
    }),
    ...guestOf(wish, details.defaultUser),
  };
}

function firmwareOf(firmware: NonNullable<MachineWish['firmware']>, storage: string): Parameters {
  if (firmware === 'bios') return { bios: 'seabios', machine: 'q35' };
  const keys = firmware === 'uefi-secure';
  // The default type, 2m, cannot do Secure Boot.
  return { bios: 'ovmf', machine: 'q35', efidisk0: propertyString(`${storage}:1`, { efitype: '4m', 'pre-enrolled-keys': keys }) };
}

/** What cloud-init tells the guest. */
export function guestOf(wish: MachineWish, defaultUser: string): Parameters {
  const keys = wish.sshKeys ?? [];
  return {
    ciuser: wish.user ?? defaultUser,
    // Its own default upgrades every package at the first boot, and the guest would no longer be the image that was proven.
    ciupgrade: false,
    ipconfig0: ipConfig(wish),
    nameserver: wish.nameserver,
    searchdomain: wish.searchDomain,
    // Encoded here and once more with the form: the server decodes it twice.
    sshkeys: keys.length === 0 ? undefined : encodeURIComponent(`${keys.join('\n')}\n`),
  };
}

/** The name of a VM: a DNS label, of which the API wants letters, digits and dashes. */
export function vmName(pattern: string | undefined, image: Pick<PublishedImage, 'name' | 'digest'>): string {
  const digest = image.digest.slice('sha256:'.length, 'sha256:'.length + 8);
  const text = (pattern ?? '{name}-{digest}').replaceAll('{name}', image.name).replaceAll('{digest}', digest);
  const name = text
    .replaceAll(/[^A-Za-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  if (name !== '') return name;
  throw new IngotError('usage', 'name-pattern-invalid', `"${pattern ?? ''}" makes no name of a VM`, {
    hint: 'Use {name} and {digest}, as in {name}-{digest}.',
  });
}

/** Tags of a template: lower-case words that the API takes. */
export function vmTags(image: Pick<PublishedImage, 'name'>, own: readonly string[] = [], current = false): string[] {
  const clean = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9_.+-]+/g, '-')
      .replace(/^[^a-z0-9_]+/, '');
  return [...new Set(['ingot', clean(image.name), ...own.map(clean), ...(current ? ['current'] : [])])].filter((tag) => tag !== '');
}
