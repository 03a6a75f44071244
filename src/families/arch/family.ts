import { bootArguments } from '../common/boot-arguments.ts';
import { networkChanges } from '../common/cloud-network.ts';
import { modulesChanges, sysctlChanges } from '../common/kernel.ts';
import { openPorts } from '../common/nftables.ts';
import { serviceChanges } from '../common/systemd.ts';
import { usersChanges } from '../common/users.ts';
import type { Family } from '../family.ts';
import { bootstrap } from './bootstrap.ts';
import { install, remove } from './install.ts';
import { repositoryChanges } from './repositories.ts';
import { seal } from './seal.ts';
import { systemChanges } from './system.ts';
import { update } from './update.ts';

/** Arch: pacman, systemd, mkinitcpio; a distribution that moves as a whole. */
export const arch: Family = {
  name: 'arch',
  traits: { init: 'systemd', selinux: false, securityUpdates: false, suites: 'none', shares: { cloud: ['virtiofs', '9p'], generic: ['virtiofs', '9p'] } },
  kernelArguments: ['console=tty0', 'console=ttyS0,115200n8'],
  // Packages of Arch start nothing when they are installed.
  quiet: [],
  install,
  remove,
  update,
  repositories: repositoryChanges,
  services: serviceChanges,
  users: usersChanges,
  system: systemChanges,
  network: networkChanges,
  openPorts,
  modules: modulesChanges,
  sysctl: sysctlChanges,
  // mkinitcpio is run by a hook of pacman, whenever a kernel changes.
  boot: bootArguments,
  labels: () => [],
  seal,
  bootstrap,
};
