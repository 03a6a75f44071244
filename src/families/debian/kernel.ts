import { bootstrapOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { KernelChange } from '../family.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';

/** The image of a kernel: `linux-image-6.1.0-50-cloud-amd64`. */
const VERSIONED = /^linux-image-(\d\S*)$/;
const IS_CLOUD = /-cloud-(amd64|arm64)$/;

/** Whether a package is a kernel, whose removal Debian's own programs refuse where the builder happens to run the same one. */
export function isKernel(name: string): boolean {
  return VERSIONED.test(name);
}

/**
 * The release's other kernel instead of the one that is there. Both together would be of no use: the menu starts the one whose version sorts last. The
 * generic kernel gets every driver into its initramfs, since what needs it has disks that the list for the cloud kernel leaves out.
 */
export function otherKernel(release: Release, { arch, to, installed }: KernelChange): Changes {
  const kernels = Object.entries(bootstrapOf(release).kernels).find(([known]) => known === arch)?.[1];
  if (kernels === undefined) return NOTHING;
  const from = to === 'generic' ? 'cloud' : 'generic';
  const old = installed.filter((name) => isKernel(name) && IS_CLOUD.test(name) === (from === 'cloud'));
  const going = [...installed.filter((name) => name === kernels[from]), ...old].toSorted();
  return {
    ...NOTHING,
    // A dash after its name takes a package away, for apt.
    packages: [kernels[to], ...going.map((name) => `${name}-`)],
    filesBefore: to === 'generic' ? [rootFile('/etc/initramfs-tools/conf.d/ingot', 'MODULES=most\n')] : [],
    // Its package would do that by the program which is run once, at the end.
    commands:
      old.length === 0 ? [] : [{ label: 'the old initramfs', argv: ['rm', '-f', ...old.map((name) => `/boot/initrd.img-${name.replace(VERSIONED, '$1')}`)] }],
  };
}
