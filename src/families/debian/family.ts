import { networkChanges } from '../common/cloud-network.ts';
import { modulesChanges, sysctlChanges } from '../common/kernel.ts';
import { snapsChanges } from '../common/snaps.ts';
import { serviceChanges } from '../common/systemd.ts';
import { usersChanges } from '../common/users.ts';
import type { Family } from '../family.ts';
import { KERNEL_ARGUMENTS, POLICY_NO_START } from './files.ts';
import { openPorts } from '../common/nftables.ts';
import { install, remove } from './install.ts';
import { otherKernel } from './kernel.ts';
import { BOOTED_SEAL, installation, LAYER_SEAL } from './layers.ts';
import { basePackages } from './packages.ts';
import { debianRecipe } from './recipe.ts';
import { repositoryChanges } from './repositories.ts';
import { systemChanges } from './system.ts';
import { ubuntuProChanges } from './ubuntu-pro.ts';
import { fromTree } from './tree.ts';
import { update } from './update.ts';

/** Debian: ingot resolves its packages before the build, with apt, and puts them in with the image's dpkg. */
export const debian: Family = {
  name: 'debian',
  traits: { init: 'systemd', selinux: false, securityUpdates: true, suites: 'needed', shares: { cloud: ['virtiofs'], generic: ['virtiofs', '9p'] } },
  kernelArguments: KERNEL_ARGUMENTS,
  planned: { base: basePackages, bootstrap: debianRecipe, installation, otherKernel },
  quiet: [POLICY_NO_START],
  install,
  remove,
  update,
  repositories: repositoryChanges,
  services: serviceChanges,
  users: usersChanges,
  system: systemChanges,
  network: networkChanges,
  snaps: snapsChanges,
  ubuntuPro: ubuntuProChanges,
  openPorts,
  modules: modulesChanges,
  sysctl: sysctlChanges,
  // ingot writes the boot menu itself, where a kernel or the arguments changed.
  boot: () => [],
  labels: () => [],
  fromTree,
  seal: { commands: [], layer: LAYER_SEAL, booted: BOOTED_SEAL },
};
