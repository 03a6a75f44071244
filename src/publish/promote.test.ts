import { expect, test, vi } from 'vitest';
import { publishLab, type PublishLab } from '../../tests/support/publish-lab.ts';
import { SimCluster } from '../../tests/simulators/proxmox/cluster.ts';
import { findPublication, Journal, listPublications, readPublication } from './journal.ts';
import { previousOf, promote, removePublication, usersOf } from './promote.ts';
import { renderReport } from './report.ts';

// Each is several publications, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const tagsOf = (lab: PublishLab): Record<string, string> =>
  Object.fromEntries([...lab.simulator.cluster.vms.values()].map(({ vmid, config }) => [String(vmid), config['tags'] ?? '']));

test('versions follow each other: the tag moves, a rollback takes it back, and old ones go unless VMs stand on them', async () => {
  await using lab = await publishLab();
  const { cluster } = lab.simulator;
  const images = [await lab.image('web', 'one'), await lab.image('web', 'two'), await lab.image('web', 'three'), await lab.image('web', 'four')];
  const [one, two, three, four] = images;
  if (one === undefined || two === undefined || three === undefined || four === undefined) throw new Error('no images');
  await lab.publish(one);
  await lab.publish(two);
  expect(tagsOf(lab)).toEqual({ '100': 'ingot;web', '101': 'ingot;web;current' });

  // Back, and forth again.
  const context = lab.context();
  await using platform = await lab.open();
  const current = await findPublication(context, 'proxmox:home/web');
  const previous = new Journal(context, await previousOf(context, current));
  await promote(context, platform, previous);
  expect(tagsOf(lab)).toEqual({ '100': 'ingot;web;current', '101': 'ingot;web' });
  expect((await findPublication(context, 'web')).image.digest).toBe(one.digest);
  await lab.publish(two);
  expect(tagsOf(lab)).toEqual({ '100': 'ingot;web', '101': 'ingot;web;current' });

  // A linked clone on LVM-thin does not say what it stands on: its notes do.
  cluster.vms.set(500, {
    vmid: 500,
    node: 'pve',
    config: { name: 'shop', description: cluster.vms.get(100)?.config['description'] ?? '', scsi0: 'local-lvm:vm-500-disk-0' },
    running: true,
    snapshots: [],
  });
  const third = await lab.publish(three, { keep: 2 });
  expect(third).toMatchObject({ removed: [], kept: [expect.stringContaining('500 (shop)')] });
  const fourth = await lab.publish(four, { keep: 2 });
  expect(fourth.removed.map((id) => id.slice(-12))).toEqual([two.digest.slice(7, 19)]);
  expect(fourth.kept.join()).toContain('500 (shop)');
  const oldest = new Journal(context, (await readPublication(context, fourth.kept[0]?.split(':')[0] ?? '')) ?? current);
  expect(await usersOf(platform, oldest)).toEqual([{ id: '500', name: 'shop', place: 'pve', link: 'perhaps' }]);
  await expect(removePublication(platform, oldest, { force: false })).rejects.toMatchObject({ code: 'publication-in-use' });
  await removePublication(platform, oldest, { force: true });
  expect((await listPublications(context)).map(({ image, state }) => [image.digest, state])).toEqual(
    expect.arrayContaining([
      [four.digest, 'current'],
      [three.digest, 'validated'],
    ]),
  );
  await expect(removePublication(platform, new Journal(context, await findPublication(context, 'web')), { force: false })).rejects.toMatchObject({
    code: 'publication-current',
  });
});

test('a linked clone on a storage that names its base keeps the template, by force too', async () => {
  const cluster = new SimCluster();
  cluster.addStorage({ name: 'tank', type: 'zfspool', content: ['images'] });
  await using lab = await publishLab({ cluster });
  await lab.publish(await lab.image(), { places: { nodes: [], allNodes: false, storage: 'tank' } });
  cluster.vms.set(500, {
    vmid: 500,
    node: 'pve',
    config: { name: 'shop', scsi0: 'tank:base-100-disk-0/vm-500-disk-0,size=1G' },
    running: false,
    snapshots: [],
  });
  await using platform = await lab.open();
  const journal = new Journal(lab.context(), await findPublication(lab.context(), 'web'));
  await expect(removePublication(platform, journal, { force: true })).rejects.toMatchObject({
    code: 'publication-in-use',
    message: expect.stringContaining('500 (shop)'),
  });
});

test('an image whose gate has not passed is refused, and one that is proven is not current until it is promoted', async () => {
  await using lab = await publishLab();
  const image = await lab.image();
  await lab.publish(image, { promote: false });
  expect(tagsOf(lab)).toEqual({ '100': 'ingot;web' });
  expect((await lab.publish(image)).publication.state).toBe('current');
  expect(tagsOf(lab)).toEqual({ '100': 'ingot;web;current' });
  await expect(lab.publish({ ...image, gate: undefined })).rejects.toMatchObject({ code: 'image-unproven', hint: expect.stringContaining('--unproven') });
  // Somebody removed it there: it is made anew.
  lab.simulator.cluster.vms.clear();
  lab.simulator.cluster.volumes.clear();
  expect((await lab.publish(image)).outcome).toBe('published');
  expect(lab.messages.join('\n')).toContain('it is made anew');
  // The current one is removed by force alone.
  await expect(lab.publish(image, { machine: { cpus: 8 } })).rejects.toMatchObject({ code: 'publication-differs', hint: expect.stringContaining('--force') });
});

test('reports say what passed, what failed and what was not run, and break no markup', async () => {
  await using lab = await publishLab();
  const { publication } = await lab.publish(await lab.image(), { ssh: false });
  const [place] = publication.places;
  if (place === undefined) throw new Error('no place');
  const hostile = {
    ...publication,
    places: [{ ...place, checks: [...place.checks, { name: 'a <b>', result: 'failed' as const, detail: 'x & "y"\n\u0007<z>' }] }],
  };
  const junit = renderReport(hostile, 'junit');
  expect(junit).toContain('tests="6" failures="1" skipped="2"');
  expect(junit).toContain('<failure message="x &amp; &quot;y&quot;">');
  expect(renderReport(hostile, 'html')).toMatch(/class="failed">failed<\/td><td>a &lt;b&gt;/);
  expect(JSON.parse(renderReport(publication, 'json'))).toMatchObject({ state: 'current', places: [{ id: 'pve' }] });
  expect(renderReport({ ...publication, failure: { time: publication.created, code: 'task-failed', message: 'no' } }, 'junit')).toContain(
    '<error type="task-failed"',
  );
});
