import type { SimCluster } from './cluster.ts';
import { cloneVm, createContainer, createVm, deleteVm, fail, startVm, stopVm, toTemplate, type SimAnswer, type Values } from './machine-routes.ts';
import type { SimVm } from './model.ts';
import { deleteSnapshot, listSnapshots, migrateVm, resizeVm, rollbackVm, shutDownVm, snapshotVm } from './use-routes.ts';

type Handler = (cluster: SimCluster, values: Values) => SimAnswer | Promise<SimAnswer>;

interface Route {
  /** As the API's own documentation names it. */
  readonly name: string;
  readonly handler: Handler;
  /** What the token needs, and where; `{x}` is a parameter. */
  readonly needs?: readonly [string, string];
}

const vmRoute = (
  name: string,
  handler: (cluster: SimCluster, vm: SimVm, values: Values) => SimAnswer | Promise<SimAnswer>,
  privilege: string,
  unlocked = false,
): Route => ({
  name,
  needs: ['/vms/{vmid}', privilege],
  handler: (cluster, values) => {
    const vm = cluster.vms.get(Number(values['vmid']));
    if (vm === undefined || vm.node !== values['node'])
      return fail(`Configuration file 'nodes/${values['node'] ?? ''}/qemu-server/${values['vmid'] ?? ''}.conf' does not exist`);
    if (unlocked && vm.config['lock'] !== undefined) return fail(`VM is locked (${vm.config['lock']})`);
    return handler(cluster, vm, values);
  },
});

const storageLine = (cluster: SimCluster, node: string) =>
  [...cluster.storages.values()]
    .filter(({ name }) => cluster.storageOn(node, name) !== undefined)
    .map(({ name, type, content, shared, total, used }) => ({
      storage: name,
      type,
      content: content.join(','),
      shared: shared ? 1 : 0,
      active: 1,
      enabled: 1,
      total,
      used,
      avail: total - used,
    }));

const nextId = (cluster: SimCluster): number => {
  let vmid = 100;
  while (cluster.vms.has(vmid)) vmid += 1;
  return vmid;
};

/** What the simulator answers to; all else is 501, as by the server. The upload has a file of its own. */
export const ROUTES: readonly Route[] = [
  {
    name: 'GET /nodes',
    handler: (cluster) => ({
      data: [...cluster.nodes].map(([node, { online }]) => ({ node, status: online ? 'online' : 'offline', maxcpu: 8, maxmem: 32 * 2 ** 30 })),
    }),
  },
  {
    name: 'GET /cluster/resources',
    handler: (cluster) => ({
      data: [...cluster.vms.values()].map(({ vmid, kind, node, config, running }) => ({
        id: `${kind ?? 'qemu'}/${vmid}`,
        type: kind ?? 'qemu',
        vmid,
        node,
        name: config['name'] ?? config['hostname'] ?? `VM ${vmid}`,
        status: running ? 'running' : 'stopped',
        template: config['template'] === '1' ? 1 : 0,
        tags: config['tags'] ?? '',
        maxcpu: Number(config['cores'] ?? 1),
        maxmem: Number(config['memory'] ?? 512) * 2 ** 20,
        maxdisk: Number(/size=(\d+)/.exec(config['scsi0'] ?? '')?.[1] ?? 0),
        ...(config['lock'] === undefined ? {} : { lock: config['lock'] }),
      })),
    }),
  },
  { name: 'GET /cluster/nextid', handler: (cluster) => ({ data: String(nextId(cluster)) }) },
  { name: 'GET /nodes/{node}/storage', handler: (cluster, { node = '' }) => ({ data: storageLine(cluster, node) }) },
  {
    name: 'GET /storage/{storage}',
    needs: ['/storage/{storage}', 'Datastore.Allocate'],
    handler: (cluster, { storage = '' }) => {
      const found = cluster.storages.get(storage);
      return found === undefined
        ? fail(`storage '${storage}' does not exist`)
        : { data: { storage, type: found.type, content: found.content.join(','), digest: 'd1' } };
    },
  },
  {
    name: 'PUT /storage/{storage}',
    needs: ['/storage', 'Datastore.Allocate'],
    handler: (cluster, { storage = '', content = '' }) => {
      const found = cluster.storages.get(storage);
      if (found === undefined) return fail(`storage '${storage}' does not exist`);
      found.content = content.split(',');
      return { data: { storage, type: found.type } };
    },
  },
  {
    name: 'GET /nodes/{node}/storage/{storage}/content',
    handler: (cluster, { node = '', storage = '', content }) => ({
      data: cluster
        .volumesOn(node, storage)
        .flatMap(({ volid, kind, size }) => (content === undefined || kind === content ? [{ volid, content: kind, size, format: 'qcow2' }] : [])),
    }),
  },
  {
    name: 'DELETE /nodes/{node}/storage/{storage}/content/{volume}',
    needs: ['/storage/{storage}', 'Datastore.AllocateTemplate'],
    handler: (cluster, { node = '', volume = '' }) => {
      if (cluster.volume(node, volume) === undefined) return fail(`volume '${volume}' does not exist`);
      return {
        data: cluster.task(node, 'imgdel', volume.split(':')[0] ?? '', () => {
          cluster.dropVolume(node, volume);
          return undefined;
        }),
      };
    },
  },
  { name: 'POST /nodes/{node}/qemu', needs: ['/vms/{vmid}', 'VM.Allocate'], handler: createVm },
  vmRoute('GET /nodes/{node}/qemu/{vmid}/config', (_cluster, vm) => ({ data: { ...vm.config, digest: 'd2' } }), 'VM.Audit'),
  vmRoute(
    'PUT /nodes/{node}/qemu/{vmid}/config',
    (cluster, vm, { node: _node, vmid: _vmid, ...change }) => {
      // A cloud-init drive that makes room for another is freed, not kept as an unused disk (PVE/QemuServer.pm, vmconfig_register_unused_drive).
      for (const device of Object.keys(change)) {
        const volume = vm.config[device]?.split(',')[0] ?? '';
        if (volume.includes('cloudinit')) cluster.dropVolume(vm.node, volume);
      }
      Object.assign(vm.config, change);
      return { data: null };
    },
    'VM.Config.Options',
    true,
  ),
  vmRoute(
    'GET /nodes/{node}/qemu/{vmid}/status/current',
    (_cluster, { running, config, vmid }) => ({
      data: { status: running ? 'running' : 'stopped', vmid, ...(config['lock'] === undefined ? {} : { lock: config['lock'] }) },
    }),
    'VM.Audit',
  ),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/status/start', startVm, 'VM.PowerMgmt', true),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/status/stop', stopVm, 'VM.PowerMgmt'),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/status/shutdown', shutDownVm, 'VM.PowerMgmt'),
  vmRoute('PUT /nodes/{node}/qemu/{vmid}/resize', resizeVm, 'VM.Config.Disk', true),
  vmRoute('GET /nodes/{node}/qemu/{vmid}/snapshot', (_cluster, vm) => listSnapshots(vm), 'VM.Audit'),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/snapshot', snapshotVm, 'VM.Snapshot', true),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback', rollbackVm, 'VM.Snapshot.Rollback', true),
  vmRoute('DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}', deleteSnapshot, 'VM.Snapshot', true),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/migrate', migrateVm, 'VM.Migrate', true),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/clone', cloneVm, 'VM.Clone', true),
  vmRoute('POST /nodes/{node}/qemu/{vmid}/template', toTemplate, 'VM.Allocate', true),
  vmRoute('DELETE /nodes/{node}/qemu/{vmid}', deleteVm, 'VM.Allocate'),
  vmRoute(
    'POST /nodes/{node}/qemu/{vmid}/agent/ping',
    (_cluster, vm) => (vm.guest?.agent() === true ? { data: { result: {} } } : fail('QEMU guest agent is not running')),
    'VM.GuestAgent.Audit',
  ),
  vmRoute(
    'GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces',
    (_cluster, vm) =>
      vm.guest?.agent() === true
        ? {
            data: {
              result: [
                { name: 'lo', 'ip-addresses': [{ 'ip-address': '127.0.0.1', 'ip-address-type': 'ipv4', prefix: 8 }] },
                { name: 'eth0', 'ip-addresses': vm.guest.addresses().map((address) => ({ 'ip-address': address, 'ip-address-type': 'ipv4', prefix: 24 })) },
              ],
            },
          }
        : fail('QEMU guest agent is not running'),
    'VM.GuestAgent.Audit',
  ),
  {
    name: 'GET /nodes/{node}/tasks',
    handler: (cluster, { node = '', source }) => ({
      data: [...cluster.tasks.values()]
        .filter((task) => task.node === node && (source !== 'active' || task.exit === undefined))
        .map(({ upid, type, id }) => ({ upid, type, id, node, user: 'ingot@pve', tokenid: 'test', status: 'RUNNING' })),
    }),
  },
  {
    name: 'GET /nodes/{node}/tasks/{upid}/status',
    handler: async (cluster, { upid = '' }) => {
      const task = cluster.tasks.get(upid);
      if (task === undefined) return fail('no such task');
      await cluster.poll(task);
      return {
        data: {
          upid,
          type: task.type,
          id: task.id,
          node: task.node,
          status: task.exit === undefined ? 'running' : 'stopped',
          ...(task.exit === undefined ? {} : { exitstatus: task.exit }),
        },
      };
    },
  },
  {
    name: 'GET /nodes/{node}/tasks/{upid}/log',
    handler: (cluster, { upid = '', start = '0' }) => {
      const lines = (cluster.tasks.get(upid)?.log ?? []).slice(Number(start));
      return { data: lines.length === 0 ? [{ n: 1, t: 'no content' }] : lines.map((t, index) => ({ n: Number(start) + index + 1, t })) };
    },
  },
  {
    name: 'DELETE /nodes/{node}/tasks/{upid}',
    handler: (cluster, { upid = '' }) => {
      const task = cluster.tasks.get(upid);
      if (task === undefined) return fail('no such task');
      if (task.exit === undefined) {
        task.undo();
        task.exit = 'interrupted by signal';
      }
      return { data: null };
    },
  },
];

/** Containers have most of what VMs have, at paths of their own. */
const OF_CONTAINERS = /^(?:GET|PUT) .*\/config$|\/status\/|\/clone$|\/template$|\/snapshot|\/migrate$|\/resize$|^DELETE \/nodes\/\{node\}\/qemu\/\{vmid\}$/;

const ALL_ROUTES: readonly Route[] = [
  ...ROUTES,
  ...ROUTES.filter(({ name }) => name.includes('/qemu/') && OF_CONTAINERS.test(name)).map((route) => ({
    ...route,
    name: route.name.replace('/qemu/', '/lxc/'),
  })),
  { name: 'POST /nodes/{node}/lxc', needs: ['/vms/{vmid}', 'VM.Allocate'], handler: createContainer },
  vmRoute(
    'GET /nodes/{node}/lxc/{vmid}/interfaces',
    (_cluster, vm) => ({
      data: vm.running
        ? [
            { name: 'lo', hwaddr: '00:00:00:00:00:00', inet: '127.0.0.1/8' },
            { name: 'eth0', hwaddr: 'bc:24:11:00:00:01', inet: '192.0.2.20/24' },
          ]
        : null,
    }),
    'VM.Audit',
  ),
];

const patterns = ALL_ROUTES.map((route) => {
  const [method = '', path = ''] = route.name.split(' ');
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  return { route, method, path, names, pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '([^/]+)')}$`) };
});

/** The route of a request, with the parameters in its path. */
export function findRoute(method: string, path: string): { readonly route: Route; readonly path: string; readonly values: Record<string, string> } | undefined {
  for (const one of patterns) {
    const found = one.method === method ? one.pattern.exec(path) : null;
    if (found !== null)
      return {
        route: one.route,
        path: one.path,
        values: Object.fromEntries(one.names.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? '')])),
      };
  }
  return undefined;
}
