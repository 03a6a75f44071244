import type { SimCluster } from './cluster.ts';
import { fail, type SimAnswer, type Values } from './machine-routes.ts';
import type { SimVm } from './model.ts';

/* What people do with VMs: shutting down, growing disks, snapshots, moving. */

/** POST …/status/shutdown: a guest whose agent does not answer does not shut down, unless it is forced. */
export function shutDownVm(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const node = vm.node;
  return {
    data: cluster.task(node, 'qmshutdown', String(vm.vmid), async () => {
      if (cluster.deaf.has(vm.vmid) && values['forceStop'] !== '1') return 'VM quit/powerdown failed - got timeout';
      await vm.guest?.stop();
      delete vm.guest;
      vm.running = false;
      return undefined;
    }),
  };
}

/** PUT …/resize */
export function resizeVm(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const { disk = '', size = '' } = values;
  const value = vm.config[disk];
  if (value === undefined) return fail(`disk '${disk}' does not exist`);
  const [, number = '0', unit = ''] = /^\+?(\d+)([KMGT]?)$/.exec(size) ?? [];
  const bytes = Number(number) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit);
  const old = Number(/size=(\d+)/.exec(value)?.[1] ?? 0);
  if (bytes < old) return fail('shrinking disks is not supported');
  return {
    data: cluster.task(vm.node, 'resize', String(vm.vmid), () => {
      vm.config[disk] = value.replace(/size=\w+/, `size=${bytes}`);
      return undefined;
    }),
  };
}

/** POST …/snapshot */
export function snapshotVm(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const name = values['snapname'] ?? '';
  if (vm.snapshots.some((one) => one.name === name)) return fail(`snapshot name '${name}' already used`);
  return {
    data: cluster.task(vm.node, 'qmsnapshot', String(vm.vmid), () => {
      const parent = vm.config['parent'];
      vm.snapshots.push({ name, description: values['description'] ?? '', parent, config: { ...vm.config }, time: 1_700_000_000 + vm.snapshots.length });
      vm.config['parent'] = name;
      return undefined;
    }),
  };
}

/** POST …/snapshot/{snapname}/rollback */
export function rollbackVm(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const found = vm.snapshots.find(({ name }) => name === values['snapname']);
  if (found === undefined) return fail(`snapshot '${values['snapname'] ?? ''}' does not exist`);
  return {
    data: cluster.task(vm.node, 'qmrollback', String(vm.vmid), () => {
      vm.config = { ...found.config, parent: found.name };
      return undefined;
    }),
  };
}

/** DELETE …/snapshot/{snapname} */
export function deleteSnapshot(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const at = vm.snapshots.findIndex(({ name }) => name === values['snapname']);
  if (at === -1) return fail(`snapshot '${values['snapname'] ?? ''}' does not exist`);
  return {
    data: cluster.task(vm.node, 'qmdelsnapshot', String(vm.vmid), () => {
      vm.snapshots.splice(at, 1);
      return undefined;
    }),
  };
}

/** GET …/snapshot, with the entry for the present that the server adds. */
export function listSnapshots(vm: SimVm): SimAnswer {
  return {
    data: [
      ...vm.snapshots.map(({ name, description, parent, time }) => ({ name, description, snaptime: time, ...(parent === undefined ? {} : { parent }) })),
      { name: 'current', description: 'You are here!', ...(vm.config['parent'] === undefined ? {} : { parent: vm.config['parent'] }) },
    ],
  };
}

/** POST …/migrate */
export function migrateVm(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const { target = '' } = values;
  if (cluster.nodes.get(target)?.online !== true) return fail(`no such cluster node '${target}'`, 400);
  if (target === vm.node) return fail(`target is local node.`, 400);
  if (vm.kind === 'lxc' && vm.running && values['restart'] !== '1') return fail("can't migrate running container without --restart");
  if (vm.kind !== 'lxc' && vm.running && values['online'] !== '1') return fail("can't migrate running VM without --online");
  const source = vm.node;
  return {
    data: cluster.task(source, 'qmigrate', String(vm.vmid), () => {
      const volumes = [...cluster.volumes.values()].filter((one) => one.node === source && cluster.storages.get(one.storage)?.shared !== true);
      const own = volumes.filter(({ volid }) => Object.values(vm.config).some((value) => value.startsWith(volid)));
      if (vm.kind !== 'lxc' && vm.running && own.length > 0 && values['with-local-disks'] !== '1') return "can't migrate local disks of a running VM";
      for (const volume of own) {
        cluster.dropVolume(source, volume.volid);
        cluster.addVolume({ ...volume, node: target });
      }
      vm.node = target;
      return undefined;
    }),
  };
}
