import type { DiskWish } from '../platform.ts';

export interface HypervisorFormat extends DiskWish {
  /** What the API calls it. */
  readonly name: string;
}

/** What a template is made of for each hypervisor, by the name that clusters have. Those that are missing take nothing that ingot makes. */
export const FORMAT_OF: Readonly<Record<string, HypervisorFormat>> = {
  // zlib: hosts of old distributions read no zstd.
  KVM: { name: 'QCOW2', format: 'qcow2', guest: 'kvm', options: { compression: 'zlib' } },
  XenServer: { name: 'VHD', format: 'vhd', guest: 'xen' },
  VMware: { name: 'OVA', format: 'ova', guest: 'vmware' },
  // The project's own stand-in for a hypervisor, in tests of the management server.
  Simulator: { name: 'VHD', format: 'vhd', guest: 'kvm' },
};
