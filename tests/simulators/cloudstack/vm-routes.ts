import { randomUUID } from 'node:crypto';
import type { SimCloud, Values } from './cloud.ts';
import { GIB, SimRefusal, type SimOffering, type SimSnapshot, type SimVm } from './model.ts';
import { listed, tagsShown, type Handler } from './template-routes.ts';

function vmAnswer(cloud: SimCloud, vm: SimVm): Record<string, unknown> {
  const template = cloud.templates.get(vm.templateid);
  const network = vm.network === undefined ? undefined : cloud.networks.get(vm.network);
  return {
    id: vm.id,
    name: vm.name,
    displayname: vm.displayname,
    state: vm.state,
    zoneid: vm.zoneid,
    zonename: cloud.zones.get(vm.zoneid)?.name,
    templateid: vm.templateid,
    hypervisor: template?.hypervisor,
    guestosid: template?.ostypeid,
    passwordenabled: template?.fields['passwordenabled'],
    ...(vm.keypairs.length === 0 ? {} : { keypairs: vm.keypairs.join(',') }),
    serviceofferingid: vm.offering,
    cpunumber: vm.cpus,
    memory: vm.memory,
    ...(vm.state === 'Running' ? { hostid: vm.host } : {}),
    ...(vm.guest?.activity === undefined ? {} : { diskioread: 0, diskiowrite: vm.guest.activity(), networkkbswrite: 0 }),
    nic: [{ networkid: network?.id, netmask: network?.netmask, ipaddress: vm.guest?.address() ?? vm.address, isdefault: true }],
    tags: tagsShown(vm.tags),
  };
}

/** What an offering gives, with what a custom one is told. */
function sizeOf(cloud: SimCloud, id: string, values: Values): { offering: string; cpus: number; memory: number } {
  const offering = cloud.offerings.find((one) => one.id === id);
  if (offering === undefined) throw new SimRefusal(431, 'Unable to find service offering');
  const told = (key: string): number | undefined => (values[`details[0].${key}`] === undefined ? undefined : Number(values[`details[0].${key}`]));
  if (!offering.iscustomized) {
    if (told('cpuNumber') !== undefined || told('memory') !== undefined)
      throw new SimRefusal(431, 'Cpu number and memory cannot be given for an offering of a fixed size');
    return { offering: id, cpus: offering.cpunumber ?? 0, memory: offering.memory ?? 0 };
  }
  const { cpunumber: cpus = told('cpuNumber'), memory = told('memory'), cpuspeed = told('cpuSpeed') } = offering;
  if (cpus === undefined || memory === undefined || cpuspeed === undefined)
    throw new SimRefusal(431, 'Need to specify custom parameter values cpu, cpu speed and memory when using custom offering');
  checkRange(offering, cpus, memory);
  return { offering: id, cpus, memory };
}

function checkRange({ serviceofferingdetails: range = {} }: SimOffering, cpus: number, memory: number): void {
  const outside = (value: number, least: string | undefined, most: string | undefined): boolean =>
    value < Number(least ?? 0) || value > Number(most ?? Number.MAX_SAFE_INTEGER);
  if (outside(cpus, range['mincpunumber'], range['maxcpunumber']) || outside(memory, range['minmemory'], range['maxmemory']))
    throw new SimRefusal(431, 'Invalid CPU cores value, specify a value within the range');
}

function deploy(cloud: SimCloud, values: Values): unknown {
  const zone = cloud.zone(values['zoneid'] ?? '');
  const template = cloud.template(values['templateid'] ?? '');
  const size = sizeOf(cloud, values['serviceofferingid'] ?? '', values);
  if (cloud.vms.size >= cloud.vmLimit) throw new SimRefusal(535, "Maximum number of resources of type 'user_vm' for account name=ops has been exceeded.");
  if (template.rows.get(zone.id)?.ready !== true)
    throw new SimRefusal(431, `Template ${template.name} has not been completely downloaded to zone ${zone.name}`);
  const { name = '', keypairs } = values;
  const keys = keypairs === undefined ? [] : keypairs.split(',');
  for (const key of keys) if (!cloud.keyPairs.has(key)) throw new SimRefusal(431, `A key pair with name '${key}' does not exist`);
  if (!/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)) throw new SimRefusal(431, `Invalid name. Instance name can contain ASCII letters, digits and '-'`);
  if ([...cloud.vms.values()].some((vm) => vm.name === name)) throw new SimRefusal(431, `The vm with hostName ${name} already exists in the network domain`);
  if ((values['userdata'] ?? '').length > 32_768) throw new SimRefusal(431, 'User data has exceeded the maximum length of 32768 (vm.userdata.max.length)');
  const network = values['networkids']?.split(',')[0];
  const vm: SimVm = {
    id: randomUUID(),
    name,
    zoneid: zone.id,
    templateid: template.id,
    state: 'Starting',
    address: values['ipaddress'] ?? cloud.nextAddress(network),
    keypairs: keys,
    password: template.fields['passwordenabled'] === true ? randomUUID().slice(0, 8) : undefined,
    displayname: values['displayname'] ?? name,
    ...size,
    disk: undefined,
    volume: randomUUID(),
    network,
    tags: new Map(),
    snapshots: [],
    host: cloud.hosts.get('h1') ?? '',
    parameters: values,
  };
  cloud.vms.set(vm.id, vm);
  const run = async (): Promise<unknown> => {
    if (zone.deployFails !== undefined) throw new SimRefusal(533, zone.deployFails);
    if (values['startvm'] === 'false') vm.state = 'Stopped';
    else {
      await cloud.bootVm(vm);
      vm.state = 'Running';
    }
    return { virtualmachine: { ...vmAnswer(cloud, vm), password: vm.password } };
  };
  return { id: vm.id, jobid: cloud.job('deployVirtualMachine', run, () => (vm.state = 'Error')) };
}

async function halt(vm: SimVm): Promise<void> {
  await vm.guest?.stop();
  vm.guest = undefined;
}

const onVm =
  (command: string, work: (cloud: SimCloud, vm: SimVm, values: Values) => Promise<unknown>): Handler =>
  (cloud, values) => {
    const vm = cloud.vm(values['id'] ?? values['virtualmachineid'] ?? '');
    return { jobid: cloud.job(command, () => work(cloud, vm, values)) };
  };

function stop(cloud: SimCloud, { id = '', forced }: Values): unknown {
  const vm = cloud.vm(id);
  vm.state = 'Stopping';
  return {
    jobid: cloud.job('stopVirtualMachine', async () => {
      if (forced !== 'true' && cloud.deaf.has(id)) await new Promise(() => undefined);
      await halt(vm);
      vm.state = 'Stopped';
      return { virtualmachine: vmAnswer(cloud, vm) };
    }),
  };
}

function snapshotOf(cloud: SimCloud, id: string): { readonly vm: SimVm; readonly snapshot: SimSnapshot } {
  for (const vm of cloud.vms.values()) {
    const snapshot = vm.snapshots.find((one) => one.id === id);
    if (snapshot !== undefined) return { vm, snapshot };
  }
  throw new SimRefusal(431, `Invalid parameter vmsnapshotid value=${id} due to incorrect long value format, or entity does not exist`);
}

export const VM_ROUTES: Readonly<Record<string, Handler>> = {
  deployVirtualMachine: deploy,
  listVirtualMachines: async (cloud, values) => {
    await cloud.advance();
    const { id, name, templateid, zoneid } = values;
    if (id !== undefined) cloud.vm(id);
    const found = [...cloud.vms.values()].filter(
      (vm) =>
        (zoneid === undefined || vm.zoneid === zoneid) &&
        (id === undefined || vm.id === id) &&
        // A part of the name will do.
        (name === undefined || vm.name.includes(name)) &&
        (templateid === undefined || vm.templateid === templateid),
    );
    return listed(
      'virtualmachine',
      found.map((vm) => vmAnswer(cloud, vm)),
      values,
    );
  },
  updateVirtualMachine: (cloud, { id = '', displayname }) => {
    const vm = cloud.vm(id);
    vm.displayname = displayname ?? vm.displayname;
    return { virtualmachine: vmAnswer(cloud, vm) };
  },
  startVirtualMachine: onVm('startVirtualMachine', async (cloud, vm) => {
    await cloud.bootVm(vm);
    vm.state = 'Running';
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
  stopVirtualMachine: stop,
  rebootVirtualMachine: onVm('rebootVirtualMachine', async (cloud, vm) => {
    await vm.guest?.reboot();
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
  resetPasswordForVirtualMachine: (cloud, { id = '' }) => {
    const vm = cloud.vm(id);
    if (vm.state !== 'Stopped') throw new SimRefusal(431, 'VM should be stopped to reset the password');
    return {
      jobid: cloud.job('resetPasswordForVirtualMachine', () => {
        vm.password = randomUUID().slice(0, 8);
        return Promise.resolve({ virtualmachine: { ...vmAnswer(cloud, vm), password: vm.password } });
      }),
    };
  },
  destroyVirtualMachine: onVm('destroyVirtualMachine', async (cloud, vm) => {
    await halt(vm);
    cloud.vms.delete(vm.id);
    // Rules that lead to it go with it; those of the firewall stay.
    for (const [id, rule] of cloud.forwards) if (rule.vm === vm.id) cloud.forwards.delete(id);
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
  scaleVirtualMachine: onVm('scaleVirtualMachine', (cloud, vm, values) => {
    if (vm.state !== 'Stopped') throw new SimRefusal(431, 'Dynamic scaling is not enabled for this instance');
    Object.assign(vm, sizeOf(cloud, values['serviceofferingid'] ?? '', values));
    return Promise.resolve({ success: true });
  }),
  migrateVirtualMachine: onVm('migrateVirtualMachine', (cloud, vm, { hostid = '' }) => {
    if (vm.state !== 'Running') throw new SimRefusal(431, 'Instance is not Running, unable to migrate the instance');
    vm.host = hostid;
    return Promise.resolve({ virtualmachine: vmAnswer(cloud, vm) });
  }),
  listVolumes: (cloud, values) =>
    listed(
      'volume',
      [...cloud.vms.values()]
        .filter(({ id, disk }) => disk !== undefined && (values['virtualmachineid'] === undefined || values['virtualmachineid'] === id))
        .map(({ id, volume, disk = 0 }) => ({ id: volume, name: 'ROOT-1', type: 'ROOT', size: disk * GIB, virtualmachineid: id, state: 'Ready' })),
      values,
    ),
  resizeVolume: (cloud, { id = '', size }) => {
    const vm = [...cloud.vms.values()].find(({ volume }) => volume === id);
    if (vm === undefined) throw new SimRefusal(431, `Invalid parameter id value=${id}: entity does not exist`);
    if (Number(size) < (vm.disk ?? 0))
      throw new SimRefusal(431, 'Going from existing size would shrink the volume. Need to sign off by supplying the shrinkok parameter');
    return {
      jobid: cloud.job('resizeVolume', () => {
        vm.disk = Number(size);
        return Promise.resolve({ volume: { id } });
      }),
    };
  },
  listVMSnapshot: async (cloud, values) => {
    await cloud.advance();
    const vm = cloud.vm(values['virtualmachineid'] ?? '');
    return listed(
      'vmSnapshot',
      vm.snapshots.map(({ id, name, description, created, current, parent }) => ({
        ...{ id, name: `i-2-3-VM_VS_${created}`, displayname: name, state: 'Ready', type: 'Disk', created, current },
        ...(description === undefined ? {} : { description }),
        ...(parent === undefined ? {} : { parentName: parent }),
      })),
      values,
    );
  },
  createVMSnapshot: onVm('createVMSnapshot', (_cloud, vm, { name = '', description }) => {
    const parent = vm.snapshots.find(({ current }) => current)?.name;
    for (const one of vm.snapshots) one.current = false;
    const { offering, cpus, memory } = vm;
    vm.snapshots.push({ id: randomUUID(), name, description, created: new Date().toISOString(), parent, current: true, size: { offering, cpus, memory } });
    return Promise.resolve({ vmsnapshot: {} });
  }),
  revertToVMSnapshot: (cloud, { vmsnapshotid = '' }) => {
    const { vm, snapshot } = snapshotOf(cloud, vmsnapshotid);
    if (vm.state === 'Running')
      throw new SimRefusal(
        431,
        'VM Snapshot revert not allowed. This will result in VM state change. You can revert running VM to disk and memory type snapshot',
      );
    return {
      jobid: cloud.job('revertToVMSnapshot', () => {
        for (const one of vm.snapshots) one.current = one === snapshot;
        Object.assign(vm, snapshot.size);
        return Promise.resolve({ virtualmachine: vmAnswer(cloud, vm) });
      }),
    };
  },
  deleteVMSnapshot: (cloud, { vmsnapshotid = '' }) => {
    const { vm, snapshot } = snapshotOf(cloud, vmsnapshotid);
    return {
      jobid: cloud.job('deleteVMSnapshot', () => {
        vm.snapshots.splice(vm.snapshots.indexOf(snapshot), 1);
        return Promise.resolve({ success: true });
      }),
    };
  },
  createConsoleEndpoint: (cloud, { virtualmachineid = '' }) => {
    const { state } = cloud.vm(virtualmachineid);
    return {
      consoleendpoint:
        state === 'Running'
          ? { success: true, url: `https://console.example.org/resource/noVNC/vnc.html?token=${randomUUID()}` }
          : { success: false, details: 'Cannot generate console endpoint: the instance is not running' },
    };
  },
};
