import { bootArguments } from '../common/boot-arguments.ts';
import { networkChanges } from '../common/cloud-network.ts';
import { modulesChanges, sysctlChanges } from '../common/kernel.ts';
import { openPorts } from '../common/nftables.ts';
import type { Family } from '../family.ts';
import { bootstrap } from './bootstrap.ts';
import { install, remove } from './install.ts';
import { repositoryChanges } from './repositories.ts';
import { BOOTED_SEAL, LAYER_SEAL } from './seal.ts';
import { serviceChanges } from './services.ts';
import { systemChanges } from './system.ts';
import { fromTree } from './tree.ts';
import { update } from './update.ts';
import { usersChanges } from './users.ts';

/** Alpine: apk, OpenRC, busybox and musl. */
export const alpine: Family = {
  name: 'alpine',
  traits: { init: 'openrc', selinux: false, securityUpdates: false, suites: 'possible', shares: { cloud: ['virtiofs', '9p'], generic: ['virtiofs', '9p'] } },
  kernelArguments: ['console=tty0', 'console=ttyS0,115200n8'],
  // Packages of Alpine start nothing when they are installed.
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
  // mkinitfs is a trigger of the kernel's packages: apk runs it whenever one changes.
  boot: bootArguments,
  labels: () => [],
  seal: { commands: [], layer: LAYER_SEAL, booted: BOOTED_SEAL },
  bootstrap,
  fromTree,
};
