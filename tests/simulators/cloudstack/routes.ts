import { randomUUID } from 'node:crypto';
import type { SimCloud, Values } from './cloud.ts';
import { SimRefusal, type SimVm } from './model.ts';
import { listed, TEMPLATE_ROUTES, type Handler } from './template-routes.ts';

const inZone =
  ({ zoneid }: Values) =>
  (one: { readonly zoneid: string }): boolean =>
    zoneid === undefined || one.zoneid === zoneid;

function vmAnswer(cloud: SimCloud, vm: SimVm): Record<string, unknown> {
  const template = cloud.templates.get(vm.templateid);
  return {
    id: vm.id,
    name: vm.name,
    displayname: vm.parameters['displayname'] ?? vm.name,
    state: vm.state,
    zoneid: vm.zoneid,
    zonename: cloud.zones.get(vm.zoneid)?.name,
    templateid: vm.templateid,
    hypervisor: template?.hypervisor,
    // Seen in the result of a job alone.
    nic: [{ ipaddress: vm.guest?.address() ?? vm.address, isdefault: true }],
    tags: [],
  };
}

function deploy(cloud: SimCloud, values: Values): unknown {
  const zone = cloud.zone(values['zoneid'] ?? '');
  const template = cloud.template(values['templateid'] ?? '');
  if (!cloud.offerings.some(({ id }) => id === values['serviceofferingid'])) throw new SimRefusal(431, 'Unable to find service offering');
  if (cloud.vms.size >= cloud.vmLimit) throw new SimRefusal(535, "Maximum number of resources of type 'user_vm' for account name=ops has been exceeded.");
  if (template.rows.get(zone.id)?.ready !== true)
    throw new SimRefusal(431, `Template ${template.name} has not been completely downloaded to zone ${zone.name}`);
  const { name = '', keypair } = values;
  if (keypair !== undefined && !cloud.keyPairs.has(keypair)) throw new SimRefusal(431, `A key pair with name '${keypair}' does not exist`);
  if ([...cloud.vms.values()].some((vm) => vm.name === name)) throw new SimRefusal(431, `The vm with hostName ${name} already exists in the network domain`);
  const vm: SimVm = {
    id: randomUUID(),
    name,
    zoneid: zone.id,
    templateid: template.id,
    state: 'Starting',
    address: cloud.nextAddress(),
    keypair,
    password: template.fields['passwordenabled'] === true ? randomUUID().slice(0, 8) : undefined,
    parameters: values,
  };
  cloud.vms.set(vm.id, vm);
  const run = async (): Promise<unknown> => {
    if (zone.deployFails !== undefined) throw new SimRefusal(533, zone.deployFails);
    await cloud.bootVm(vm);
    vm.state = 'Running';
    return { virtualmachine: { ...vmAnswer(cloud, vm), password: vm.password } };
  };
  return { id: vm.id, jobid: cloud.job('deployVirtualMachine', run, () => (vm.state = 'Error')) };
}

async function halt(vm: SimVm): Promise<void> {
  await vm.guest?.stop();
  vm.guest = undefined;
}

const onVm =
  (command: string, work: (cloud: SimCloud, vm: SimVm) => Promise<unknown>): Handler =>
  (cloud, { id = '' }) => {
    const vm = cloud.vm(id);
    return { jobid: cloud.job(command, () => work(cloud, vm)) };
  };

export const ROUTES: Readonly<Record<string, Handler>> = {
  ...TEMPLATE_ROUTES,
  listZones: (cloud, values) =>
    listed(
      'zone',
      [...cloud.zones.values()].map(({ id, name, enabled }) => ({ id, name, allocationstate: enabled ? 'Enabled' : 'Disabled', networktype: 'Advanced' })),
      values,
    ),
  listClusters: (cloud, values) =>
    listed(
      'cluster',
      cloud
        .zone(values['zoneid'] ?? '')
        .hypervisors.map((hypervisortype, index) => ({ id: randomUUID(), name: `c${index}`, hypervisortype, allocationstate: 'Enabled' })),
      values,
    ),
  listHypervisors: (cloud, values) => {
    const zones = values['zoneid'] === undefined ? [...cloud.zones.values()] : [cloud.zone(values['zoneid'])];
    const names = [...new Set(zones.flatMap(({ hypervisors }) => hypervisors))];
    return listed(
      'hypervisor',
      names.map((name) => ({ name })),
      values,
    );
  },
  listOsTypes: (cloud, values) => listed('ostype', cloud.osTypes, values),
  listSystemVms: (cloud, values) => {
    const zone = cloud.zone(values['zoneid'] ?? '');
    const agentstate = zone.ssvm === 'Running' ? 'Up' : 'Disconnected';
    const ssvm = { id: randomUUID(), name: `s-1-${zone.name}`, systemvmtype: 'secondarystoragevm', state: zone.ssvm, agentstate };
    const proxy = { id: randomUUID(), name: `v-2-${zone.name}`, systemvmtype: 'consoleproxy', state: 'Running', agentstate: 'Up' };
    return listed('systemvm', zone.ssvm === 'none' ? [proxy] : [ssvm, proxy], values);
  },
  listImageStores: (cloud, values) => {
    const zone = cloud.zone(values['zoneid'] ?? '');
    return listed(
      'imagestore',
      [{ id: randomUUID(), name: `nfs-${zone.name}`, protocol: 'nfs', readonly: false, disksizetotal: zone.storeSize, disksizeused: zone.storeUsed }],
      values,
    );
  },
  listAccounts: (cloud, values) =>
    listed(
      'account',
      [
        {
          name: 'ops',
          rolename: 'Ops',
          templatelimit: String(cloud.templateLimit),
          templateavailable: String(cloud.templateLimit - cloud.templates.size),
          vmlimit: 'Unlimited',
          vmavailable: 'Unlimited',
          secondarystoragelimit: '400',
          secondarystorageavailable: '380.5',
        },
      ],
      values,
    ),
  listServiceOfferings: (cloud, values) => listed('serviceoffering', cloud.offerings, values),
  listNetworks: (cloud, values) => listed('network', [...cloud.networks.values()].filter(inZone(values)), values),
  queryAsyncJobResult: async (cloud, { jobid = '' }) => {
    const job = cloud.jobs.get(jobid);
    if (job === undefined) throw new SimRefusal(431, `Invalid parameter jobid value=${jobid} due to incorrect long value format, or entity does not exist`);
    await cloud.poll(job);
    return {
      jobid,
      jobstatus: job.status,
      jobresultcode: job.status === 2 ? 530 : 0,
      jobresulttype: 'object',
      ...(job.result === undefined ? {} : { jobresult: job.result }),
    };
  },
  deployVirtualMachine: deploy,
  listVirtualMachines: async (cloud, values) => {
    await cloud.advance();
    const { id, name, templateid } = values;
    const found = [...cloud.vms.values()].filter(
      (vm) =>
        inZone(values)(vm) &&
        (id === undefined || vm.id === id) &&
        (name === undefined || vm.name === name) &&
        (templateid === undefined || vm.templateid === templateid),
    );
    return listed(
      'virtualmachine',
      found.map((vm) => vmAnswer(cloud, vm)),
      values,
    );
  },
  startVirtualMachine: onVm('startVirtualMachine', async (cloud, vm) => {
    await cloud.bootVm(vm);
    vm.state = 'Running';
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
  stopVirtualMachine: onVm('stopVirtualMachine', async (cloud, vm) => {
    await halt(vm);
    vm.state = 'Stopped';
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
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
    return { virtualmachine: vmAnswer(cloud, vm) };
  }),
  listSSHKeyPairs: (cloud, values) =>
    listed(
      'sshkeypair',
      [...cloud.keyPairs.keys()].filter((name) => values['name'] === undefined || values['name'] === name).map((name) => ({ name, fingerprint: '00:11' })),
      values,
    ),
  registerSSHKeyPair: (cloud, { name = '', publickey = '' }) => {
    if (cloud.keyPairs.has(name)) throw new SimRefusal(431, `A key pair with name '${name}' already exists.`);
    cloud.keyPairs.set(name, publickey);
    return { keypair: { name, fingerprint: '00:11' } };
  },
  deleteSSHKeyPair: (cloud, { name = '' }) => {
    if (!cloud.keyPairs.delete(name)) throw new SimRefusal(431, `A key pair with name '${name}' does not exist for account`);
    return { success: 'true' };
  },
  listKubernetesSupportedVersions: (cloud, values) => listed('kubernetessupportedversion', cloud.kubernetesVersions, values),
  addKubernetesSupportedVersion: (cloud, { semanticversion = '', name, zoneid }) => {
    if (cloud.kubernetesVersions.some((one) => one.semanticversion === semanticversion))
      throw new SimRefusal(431, `A Kubernetes version with semantic version ${semanticversion} already exists`);
    const one = { id: randomUUID(), semanticversion, name: name ?? semanticversion, state: 'Enabled', isostate: 'Downloading', zoneid };
    cloud.kubernetesVersions.push(one);
    return { kubernetessupportedversion: one };
  },
};
