import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab } from '../../tests/support/cloud-lab.ts';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import { simVm } from '../../tests/simulators/cloudstack/model.ts';
import type { MakeTransport } from '../platforms/cloudstack/open.ts';
import type { Image } from '../store/model.ts';
import { copyPublication, type CopyWish } from './copy.ts';
import { publishedImage } from './image.ts';
import { findPublication, Journal } from './journal.ts';
import { removePlaces } from './remove-places.ts';

// Each is several publications; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const at = (...nodes: string[]) => ({ places: { nodes, allNodes: false, namePattern: 'our {name} {digest}' } });
const TO = { zones: [], all: false, ssh: true, validate: true };

async function copy(lab: CloudLab, image: Image, wish: Partial<CopyWish>, options: Parameters<CloudLab['open']>[0] = {}) {
  await using platform = await lab.open(options);
  const published = publishedImage(image, `web@${image.digest}`, 'cloudstack:prod', { unproven: true });
  return await copyPublication(lab.context(), platform, await findPublication(lab.context(), 'web'), published, { ...TO, ...wish });
}

test('a publication is copied to further zones, proven there, and marked like the others; nothing is sent from here', async () => {
  const cloud = new SimCloud(['z1', 'z2', 'z3']);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  await lab.publish(image, { ...at('z1'), machine: { visibility: 'featured' } });
  const exported = lab.exported.length;
  // One that has it is away: it is not asked.
  cloud.zoneNamed('z3').enabled = false;
  const { publication, outcome } = await copy(lab, image, { zones: ['z2'] });
  expect([outcome, publication.state, publication.places.map(({ id, state }) => `${id} ${state}`)]).toEqual([
    'published',
    'current',
    ['z1 validated', 'z2 validated'],
  ]);
  expect(publication.places[1]?.checks.find(({ name }) => name === 'login')?.result).toBe('passed');
  expect(cloud.summary().templates).toEqual(
    ['z1', 'z2'].map((zone) => expect.stringMatching(new RegExp(`^our web .* in ${zone} ready=true .*ingot-current=true`))),
  );
  expect((await copy(lab, image, { zones: ['z2'] })).outcome).toBe('unchanged');
  await expect(copy(lab, image, { zones: ['z3'] })).rejects.toMatchObject({ code: 'zone-disabled' });
  cloud.zoneNamed('z3').enabled = true;
  cloud.zoneNamed('z1').enabled = false;
  const third = (await copy(lab, image, { zones: ['z3'], validate: false })).publication;
  expect(third.places[2]).toMatchObject({ id: 'z3', state: 'validated', checks: [{ name: 'trial', result: 'not-run' }] });
  expect([lab.exported.length, lab.simulator.log.filter(({ command }) => command === 'registerTemplate').length]).toEqual([exported, 1]);
  expect(lab.simulator.wrong).toEqual([]);
});

test('a zone that fails is rolled back alone, is not tried again by a copy to another one, and is done when it is asked for again', async () => {
  const cloud = new SimCloud(['z1', 'z2', 'z3']);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  await lab.publish(image, at('z1'));
  cloud.zoneNamed('z2').deployFails = 'no host has capacity';
  await expect(copy(lab, image, { zones: ['z2'] })).rejects.toMatchObject({ code: 'target-gate-failed' });
  expect(cloud.summary()).toMatchObject({ templates: [expect.stringContaining(' in z1 ')], vms: [], keyPairs: [] });
  // What failed and is wished for no more is not told of what is whole.
  expect((await findPublication(lab.context(), 'web')).failure).toMatchObject({ code: 'target-gate-failed' });
  expect((await lab.publish(image, at('z1'))).outcome).toBe('unchanged');
  expect((await findPublication(lab.context(), 'web')).failure).toBeUndefined();
  const to3 = (await copy(lab, image, { zones: ['z3'] })).publication;
  expect(to3.places.map(({ id }) => id)).toEqual(['z1', 'z3']);
  cloud.zoneNamed('z2').deployFails = undefined;
  cloud.failures.push({ command: 'copyTemplate', text: 'Unable to find secondary storage' });
  await expect(copy(lab, image, { all: true })).rejects.toMatchObject({ code: 'secondary-storage-missing' });
  expect((await copy(lab, image, { all: true })).publication.places.map(({ id }) => id)).toEqual(['z1', 'z3', 'z2']);
  expect(cloud.summary().templates).toHaveLength(3);
});

test('what is gone from the target is not copied, and not removed because of that; nor is what nothing has proven', async () => {
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  cloud.zoneNamed('z1').deployFails = 'no host';
  await expect(lab.publish(image, at('z1'))).rejects.toThrow();
  await expect(copy(lab, image, { zones: ['z2'] })).rejects.toMatchObject({ code: 'publication-unproven' });
  cloud.zoneNamed('z1').deployFails = undefined;
  await lab.publish(image, at('z1'));
  cloud.templates.clear();
  await expect(copy(lab, image, { zones: ['z2'] })).rejects.toMatchObject({ code: 'publication-gone' });
  expect((await findPublication(lab.context(), 'web')).places).toHaveLength(1);

  await using nodes = await publishLab();
  const { publication } = await nodes.publish(await nodes.image());
  await using platform = await nodes.open();
  const published = publishedImage(await nodes.image(), 'web', 'proxmox:home', { unproven: true });
  await expect(copyPublication(nodes.context(), platform, publication, published, TO)).rejects.toMatchObject({ code: 'copy-unsupported' });
});

test('a publication goes from one zone alone, unless instances stand on it there; from the last it goes as a whole', async () => {
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  const { publication } = await lab.publish(image, at('z1', 'z2'));
  await using platform = await lab.open();
  const journal = new Journal(lab.context(), publication);
  const template = [...cloud.templates.values()][0];
  cloud.vms.set('v', simVm({ id: 'v', name: 'shop', zoneid: cloud.zoneNamed('z2').id, templateid: template?.id ?? '', address: '192.0.2.99' }));
  await expect(removePlaces(platform, journal, ['z9'], { force: false })).rejects.toMatchObject({ code: 'place-unknown' });
  await expect(removePlaces(platform, journal, ['z2'], { force: false })).rejects.toMatchObject({ code: 'publication-in-use' });
  expect(await removePlaces(platform, journal, ['z2'], { force: true })).toEqual(['z2']);
  expect(cloud.summary().templates).toEqual([expect.stringMatching(/ in z1 ready=true .*ingot-current=true/)]);
  const left = await findPublication(lab.context(), 'web');
  expect([left.state, left.places.map(({ id, facts }) => [id, facts['group']])]).toEqual(['current', [['z1', [{ id: cloud.zoneNamed('z1').id, name: 'z1' }]]]]);
  await expect(removePlaces(platform, journal, ['z1'], { force: false })).rejects.toMatchObject({ code: 'publication-current' });
  await removePlaces(platform, journal, ['z1'], { force: true });
  expect(cloud.summary().templates).toEqual([]);
  await expect(findPublication(lab.context(), 'web')).rejects.toMatchObject({ code: 'publication-unknown' });
});

class Killed extends Error {}

test('a copy that is killed at any of its requests is the same when it is run again, and is gone without a rest', async () => {
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud, contract: false });
  cloud.polls = 0;
  const image = await lab.image();
  await lab.publish(image, at('z1'));
  const before = cloud.summary();
  const leave = async (): Promise<void> => {
    await using platform = await lab.open();
    await removePlaces(platform, new Journal(lab.context(), await findPublication(lab.context(), 'web')), ['z2'], { force: false });
    expect(cloud.summary()).toEqual(before);
  };
  await copy(lab, image, { zones: ['z2'] });
  const reference = cloud.summary();
  await leave();
  for (let at = 1; ; at += 1) {
    let sent = 0;
    const around =
      (real: MakeTransport): MakeTransport =>
      (origin, trust) => {
        const transport = real(origin, trust);
        return {
          ...transport,
          send: async (message) => {
            sent += 1;
            // Every other one arrives, and its answer is not heard any more.
            if (sent > at || (sent === at && at % 2 === 1)) throw new Killed();
            const answer = await transport.send(message);
            if (sent === at) throw new Killed();
            return answer;
          },
        };
      };
    await copy(lab, image, { zones: ['z2'] }, { transport: around }).catch(() => undefined);
    if (sent < at) break;
    if (at % 3 === 0) await cloud.settle();
    await copy(lab, image, { zones: ['z2'] });
    await cloud.settle();
    expect(cloud.summary(), `killed at request ${at}`).toEqual(reference);
    await leave();
  }
});
