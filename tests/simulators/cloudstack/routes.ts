import { createHash, randomUUID } from 'node:crypto';
import type { Values } from './cloud.ts';
import { SimRefusal } from './model.ts';
import { INSTANCE_TEMPLATE_ROUTES } from './instance-template-routes.ts';
import { KUBERNETES_ROUTES } from './kubernetes-routes.ts';
import { NETWORK_ROUTES } from './network-routes.ts';
import { listed, TEMPLATE_ROUTES, type Handler } from './template-routes.ts';
import { VM_ROUTES } from './vm-routes.ts';

function fingerprintOf(key: string): string {
  return createHash('md5')
    .update(Buffer.from(key.split(' ')[1] ?? '', 'base64'))
    .digest('hex')
    .replaceAll(/(..)(?=.)/g, '$1:');
}

/** Keeps what is of the zone that is asked for. */
const inZone =
  ({ zoneid }: Values) =>
  (one: { readonly zoneid: string }): boolean =>
    zoneid === undefined || one.zoneid === zoneid;

export const ROUTES: Readonly<Record<string, Handler>> = {
  ...TEMPLATE_ROUTES,
  ...VM_ROUTES,
  ...NETWORK_ROUTES,
  ...INSTANCE_TEMPLATE_ROUTES,
  ...KUBERNETES_ROUTES,
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
  listHosts: (cloud, values) =>
    listed(
      'host',
      [...cloud.hosts].filter(([name]) => values['name'] === undefined || values['name'] === name).map(([name, id]) => ({ id, name, state: 'Up' })),
      values,
    ),
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
  listSSHKeyPairs: (cloud, values) =>
    listed(
      'sshkeypair',
      [...cloud.keyPairs]
        .filter(([name]) => values['name'] === undefined || values['name'] === name)
        .map(([name, key]) => ({ name, fingerprint: fingerprintOf(key) })),
      values,
    ),
  registerSSHKeyPair: (cloud, { name = '', publickey = '' }) => {
    if (cloud.keyPairs.has(name)) throw new SimRefusal(431, `A key pair with name '${name}' already exists.`);
    // An account has each key once, whatever its name.
    if ([...cloud.keyPairs.values()].some((key) => fingerprintOf(key) === fingerprintOf(publickey)))
      throw new SimRefusal(431, `A key pair with key '${publickey}' already exists for this account.`);
    cloud.keyPairs.set(name, publickey);
    return { keypair: { name, fingerprint: fingerprintOf(publickey) } };
  },
  deleteSSHKeyPair: (cloud, { name = '' }) => {
    if (!cloud.keyPairs.delete(name)) throw new SimRefusal(431, `A key pair with name '${name}' does not exist for account`);
    return { success: 'true' };
  },
};
