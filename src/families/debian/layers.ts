import { archiveOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { PackageInstallation, Seal } from '../recipe.ts';
import type { ResolvedPackage } from '../../sources/bootstrap/recipe.ts';
import { POLICY_NO_START } from './files.ts';
import { isKernel } from './kernel.ts';
import { DEFERRED, EXCLUDE, INCLUDE, SEAL } from './recipe.ts';

/**
 * What every layer above the base leaves behind: as the base is sealed, but folders below /var/log stay, since packages
 * make them once and their services do not start without.
 */
export const LAYER_SEAL: Seal = {
  remove: SEAL.filter((pattern) => pattern !== 'var/log/*'),
  emptyFolders: ['var/log'],
  truncate: ['etc/machine-id'],
};

/** What a boot leaves besides: state of services that a machine makes anew. */
export const BOOTED_SEAL: Seal = {
  ...LAYER_SEAL,
  remove: [
    ...LAYER_SEAL.remove,
    'etc/.updated',
    'var/.updated',
    'etc/adjtime',
    'etc/network/interfaces.d/50-cloud-init*',
    'etc/systemd/network/10-cloud-init-*',
    'etc/NetworkManager/system-connections/cloud-init-*',
    'etc/cloud/cloud-init.disabled',
    'var/lib/cloud',
    'var/log/private',
    'tmp/*',
    'tmp/.[!.]*',
    'var/lib/systemd/timers',
    'var/lib/systemd/timesync',
    'var/lib/systemd/linger',
    'var/lib/systemd/rfkill/*',
    'var/lib/systemd/backlight/*',
    'var/lib/systemd/coredump/*',
    'var/lib/systemd/network/*',
    'var/lib/private/systemd/*',
    'var/lib/apt/periodic/*',
    'var/lib/logrotate/*',
    'var/cache/apparmor/*',
    'root/.cache',
    'root/.lesshst',
    'root/.python_history',
    'root/.wget-hsts',
  ],
};

/** How resolved packages are added to an image: the same filters and deferred programs as in the base, and the boot menu at the end. */
export function installation(release: Release, packages: readonly ResolvedPackage[], remove: readonly string[]): PackageInstallation {
  return {
    packages,
    remove,
    exclude: EXCLUDE,
    include: INCLUDE,
    // The layer writes the boot menu itself: the image's own program would name the loop device that the disk is mounted from.
    deferred: [
      ...DEFERRED,
      { program: '/usr/sbin/update-grub' },
      // It asks whether the kernel that runs may go, and takes the builder's for it.
      ...(remove.some(isKernel) ? [{ program: '/usr/bin/linux-check-removal' }] : []),
    ],
    filesBefore: [POLICY_NO_START],
    readsZstd: archiveOf(release).zstdPackages,
  };
}
