import { openPorts } from '../common/firewalld.ts';
import { modulesChanges, sysctlChanges } from '../common/kernel.ts';
import { QUIET } from '../common/rpm-quiet.ts';
import { labels } from '../common/selinux.ts';
import { serviceChanges } from '../common/systemd.ts';
import { usersChanges } from '../common/users.ts';
import type { Family } from '../family.ts';
import { boot } from './boot.ts';
import { bootstrap } from './bootstrap.ts';
import { enable, install, remove } from './install.ts';
import { networkChanges } from './network.ts';
import { registration } from './registration.ts';
import { repositoryChanges } from './repositories.ts';
import { seal } from './seal.ts';
import { rhelSnaps } from './snaps.ts';
import { systemChanges } from './system.ts';
import { update } from './update.ts';

/** Red Hat Enterprise Linux, those built from its sources, and Fedora: dnf, NetworkManager, dracut, SELinux. */
export const rhel: Family = {
  name: 'rhel',
  traits: { init: 'systemd', selinux: true, securityUpdates: true, suites: 'none', shares: { cloud: ['virtiofs'], generic: ['virtiofs'] } },
  kernelArguments: ['console=tty0', 'console=ttyS0,115200n8'],
  // Scripts of rpm packages leave services alone where systemd is not running.
  quiet: [QUIET],
  install,
  remove,
  update,
  enable,
  repositories: repositoryChanges,
  services: serviceChanges,
  users: usersChanges,
  system: systemChanges,
  network: networkChanges,
  registration,
  snaps: rhelSnaps,
  openPorts,
  modules: modulesChanges,
  sysctl: sysctlChanges,
  boot,
  labels,
  seal,
  bootstrap,
};
