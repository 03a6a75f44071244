import { randomUUID } from 'node:crypto';
import type { SimCloud } from './cloud.ts';
import { SimRefusal, type SimForward } from './model.ts';
import { listed, tagsShown, type Handler } from './template-routes.ts';

function forwardAnswer(cloud: SimCloud, { id, address, vm, privateport, publicport, tags }: SimForward): Record<string, unknown> {
  const ipaddress = cloud.addresses.find((one) => one.id === address)?.ipaddress;
  return { id, ipaddressid: address, ipaddress, protocol: 'tcp', virtualmachineid: vm, privateport, publicport, state: 'Active', tags: tagsShown(tags) };
}

/** Public addresses, and the rules that lead from them to instances. */
export const NETWORK_ROUTES: Readonly<Record<string, Handler>> = {
  listPublicIpAddresses: (cloud, values) =>
    listed(
      'publicipaddress',
      cloud.addresses
        .filter(({ network }) => values['associatednetworkid'] === undefined || network === values['associatednetworkid'])
        .map(({ id, ipaddress }) => ({ id, ipaddress, issourcenat: true, isstaticnat: false, state: 'Allocated' })),
      values,
    ),
  listPortForwardingRules: async (cloud, values) => {
    await cloud.advance();
    return listed(
      'portforwardingrule',
      [...cloud.forwards.values()]
        .filter(({ address }) => values['ipaddressid'] === undefined || values['ipaddressid'] === address)
        .map((one) => forwardAnswer(cloud, one)),
      values,
    );
  },
  createPortForwardingRule: (cloud, { ipaddressid = '', virtualmachineid = '', privateport = '', publicport = '', openfirewall }) => {
    const vm = cloud.vm(virtualmachineid);
    if ([...cloud.forwards.values()].some((one) => one.address === ipaddressid && one.publicport === publicport))
      throw new SimRefusal(431, `The range specified, ${publicport}-${publicport}, conflicts with rule`);
    if (openfirewall !== 'false') throw new SimRefusal(431, 'the simulator opens no firewall by itself');
    return {
      jobid: cloud.job('createPortForwardingRule', () => {
        const rule: SimForward = { id: randomUUID(), address: ipaddressid, vm: vm.id, privateport, publicport, tags: new Map() };
        cloud.forwards.set(rule.id, rule);
        return Promise.resolve({ portforwardingrule: forwardAnswer(cloud, rule) });
      }),
    };
  },
  deletePortForwardingRule: (cloud, { id = '' }) => ({
    jobid: cloud.job('deletePortForwardingRule', () => Promise.resolve({ success: cloud.forwards.delete(id) })),
  }),
  listFirewallRules: async (cloud, values) => {
    await cloud.advance();
    return listed(
      'firewallrule',
      [...cloud.firewall.values()]
        .filter(({ address }) => values['ipaddressid'] === undefined || values['ipaddressid'] === address)
        .map(({ id, address, port, cidrlist }) => ({ id, ipaddressid: address, protocol: 'tcp', startport: Number(port), endport: Number(port), cidrlist })),
      values,
    );
  },
  createFirewallRule: (cloud, { ipaddressid: address = '', startport: port = '', cidrlist = '' }) => {
    if ([...cloud.firewall.values()].some((one) => one.address === address && one.port === port && one.cidrlist === cidrlist))
      throw new SimRefusal(431, `The range specified, ${port}-${port}, conflicts with rule`);
    return {
      jobid: cloud.job('createFirewallRule', () => {
        const id = randomUUID();
        cloud.firewall.set(id, { id, address, port, cidrlist });
        return Promise.resolve({ firewallrule: { id } });
      }),
    };
  },
  deleteFirewallRule: (cloud, { id = '' }) => ({
    jobid: cloud.job('deleteFirewallRule', () => Promise.resolve({ success: cloud.firewall.delete(id) })),
  }),
};
