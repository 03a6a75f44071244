import type { GateCheck } from '../check.ts';
import { accounts } from './accounts.ts';
import { agent } from './agent.ts';
import { bootDevices } from './boot-devices.ts';
import { cloudInit } from './cloud-init.ts';
import { cloudState } from './cloud-state.ts';
import { failedUnits } from './failed-units.ts';
import { firmware } from './firmware.ts';
import { fstab } from './fstab.ts';
import { hostKeys } from './host-keys.ts';
import { identity } from './identity.ts';
import { leases } from './leases.ts';
import { logs } from './logs.ts';
import { machineId } from './machine-id.ts';
import { network } from './network.ts';
import { packageLists } from './package-lists.ts';
import { packageSources } from './package-sources.ts';
import { randomSeed } from './random-seed.ts';
import { rootGrown } from './root-grown.ts';

/** Every check of the gate, in the order in which they run and are shown. */
export const CHECKS: readonly GateCheck[] = [
  machineId,
  hostKeys,
  logs,
  leases,
  packageLists,
  accounts,
  randomSeed,
  cloudState,
  bootDevices,
  fstab,
  packageSources,
  cloudInit,
  failedUnits,
  rootGrown,
  identity,
  network,
  firmware,
  agent,
];
