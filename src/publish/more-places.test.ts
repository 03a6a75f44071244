import { expect, test, vi } from 'vitest';
import { cloudLab } from '../../tests/support/cloud-lab.ts';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import { SimCluster } from '../../tests/simulators/proxmox/cluster.ts';

// Each is several publications; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const at = (...nodes: string[]) => ({ places: { nodes, allNodes: false } });

test('a zone that is wished for later is added by a copy; one that fails leaves the others as they are', async () => {
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  await lab.publish(image, at('z1'));
  const exported = lab.exported.length;
  const zone = cloud.zoneNamed('z2');
  zone.deployFails = 'no host has capacity';
  await expect(lab.publish(image, at('z1', 'z2'))).rejects.toMatchObject({ code: 'target-gate-failed' });
  expect(cloud.summary().templates).toEqual([expect.stringMatching(/in z1 ready=true .*ingot-current=true/)]);
  const found = await lab.publish(image, at('z1'));
  expect([found.outcome, found.publication.state, found.publication.places.map(({ id }) => id)]).toEqual(['unchanged', 'current', ['z1']]);

  zone.deployFails = undefined;
  const { publication, outcome } = await lab.publish(image, at('z1', 'z2'));
  expect([outcome, publication.state, publication.places.map(({ id, state }) => `${id} ${state}`)]).toEqual([
    'published',
    'current',
    ['z1 validated', 'z2 validated'],
  ]);
  expect(lab.exported).toHaveLength(exported);
  expect(lab.simulator.log.filter(({ command }) => command === 'registerTemplate')).toHaveLength(1);
  expect(cloud.summary().templates).toHaveLength(2);

  cloud.addZone('z3');
  const all = await lab.publish(image, { places: { nodes: [], allNodes: true } });
  expect(all.publication.places.map(({ id }) => id)).toEqual(['z1', 'z2', 'z3']);
  expect(cloud.summary().templates).toHaveLength(3);
  expect((await lab.publish(image, { places: { nodes: [], allNodes: true } })).outcome).toBe('unchanged');
  expect(lab.simulator.wrong).toEqual([]);
});

test('a node that is wished for later gets a template of its own, and is marked as current with the others', async () => {
  await using lab = await publishLab({ cluster: new SimCluster(['pve1', 'pve2']) });
  const image = await lab.image();
  await lab.publish(image, at('pve1'));
  const { publication } = await lab.publish(image, at('pve1', 'pve2'));
  expect(publication.places.map(({ id, state }) => `${id} ${state}`)).toEqual(['pve1 validated', 'pve2 validated']);
  expect(lab.simulator.cluster.summary().vms).toEqual(
    ['pve1', 'pve2'].map((node) => expect.stringMatching(new RegExp(`^${node} .*template=1 .*tags=ingot;web;current`))),
  );
  expect((await lab.publish(image, at('pve2', 'pve1'))).outcome).toBe('unchanged');
  await expect(lab.publish(image, at('pve2'))).rejects.toMatchObject({ code: 'publication-differs' });
  await expect(lab.publish(image, at('pve9'))).rejects.toMatchObject({ code: 'node-unknown' });
});

test('nodes that share a storage need no second template', async () => {
  const cluster = new SimCluster(['pve1', 'pve2']);
  cluster.storages.delete('local-lvm');
  cluster.addStorage({ name: 'pool', type: 'rbd', content: ['images'], shared: true });
  await using lab = await publishLab({ cluster });
  const image = await lab.image();
  await lab.publish(image, at('pve1'));
  expect((await lab.publish(image, at('pve1', 'pve2'))).outcome).toBe('unchanged');
});
