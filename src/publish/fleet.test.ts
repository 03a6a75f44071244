import { expect, test, vi } from 'vitest';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { SimCluster } from '../../tests/simulators/proxmox/cluster.ts';
import { sampleDisk, type PublishLab } from '../../tests/support/publish-lab.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Image } from '../store/model.ts';
import { imagesNamed, planAll, publishAll, type FleetMember } from './fleet.ts';
import { publishedImage } from './image.ts';
import type { PublishRequest } from './publish.ts';
import { renderRuns, reportFormatOf } from './report.ts';

// The first is forty publications with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 900_000 });

function memberOf(lab: PublishLab, platform: Platform, image: Image, change: Partial<PublishRequest> = {}): FleetMember {
  const asked = image.references[0] ?? '';
  return {
    image: asked,
    target: 'proxmox:home',
    prepare: () =>
      Promise.resolve({
        platform,
        target: 'proxmox:home',
        image: publishedImage(image, asked, 'proxmox:home', { unproven: false }),
        places: { nodes: [], allNodes: true, ids: [9000, 9099] },
        machine: {},
        size: { virtual: 2 ** 30, file: 2 ** 20 },
        exportDisk: () => sampleDisk(lab.at, image),
        ssh: false,
        promote: true,
        keep: 3,
        ...change,
      }),
    ended: () => Promise.resolve(),
  };
}

async function imagesOf(lab: PublishLab, names: readonly string[]): Promise<Image[]> {
  const images: Image[] = [];
  for (const name of names) images.push(await lab.image(name));
  return images;
}

test('twenty images on two nodes go side by side, with one piece of work on a storage at a time', async () => {
  await using lab = await publishLab({ contract: false, cluster: new SimCluster(['pve1', 'pve2']) });
  await using platform = await lab.open();
  const images = await imagesOf(
    lab,
    Array.from({ length: 20 }, (_, index) => `web-${index + 1}`),
  );
  // What takes the lock of a storage: of the uploads, and of the disks.
  const kinds = [
    ['imgcopy', 'imgdel'],
    ['qmcreate', 'qmclone'],
  ];
  const most = kinds.map(() => 0);
  let together = 0;
  lab.simulator.before = () => {
    const running = [...lab.simulator.cluster.tasks.values()].filter(({ exit }) => exit === undefined);
    kinds.forEach((types, index) => {
      for (const node of ['pve1', 'pve2'])
        most[index] = Math.max(most[index] ?? 0, running.filter((task) => task.node === node && types.includes(task.type)).length);
    });
    together = Math.max(together, new Set(running.map(({ node }) => node)).size);
  };
  const runs = await publishAll(
    lab.context(),
    images.map((image) => memberOf(lab, platform, image)),
    6,
  );
  expect(runs.map(({ outcome, publication }) => `${outcome} ${publication?.state ?? ''}`)).toEqual(images.map(() => 'published current'));
  expect(most).toEqual([1, 1]);
  expect(together).toBe(2);
  const numbers = [...lab.simulator.cluster.vms.values()].map(({ vmid }) => vmid);
  expect(new Set(numbers).size).toBe(40);
  expect(numbers.every((vmid) => vmid >= 9000 && vmid <= 9099)).toBe(true);
});

test('one that fails keeps no other from it; the report says what became of each', async () => {
  await using lab = await publishLab();
  await using platform = await lab.open();
  const [web, db, cache] = await imagesOf(lab, ['web', 'db', 'cache']);
  if (web === undefined || db === undefined || cache === undefined) throw new Error('no images');
  const members = [
    memberOf(lab, platform, web),
    memberOf(lab, platform, db, { exportDisk: () => Promise.reject(new Error('no room')) }),
    { ...memberOf(lab, platform, cache), prepare: () => Promise.reject(new Error('not proven')) },
  ];
  const planned = await planAll(members, 2);
  expect(planned.map(({ plan, error }) => plan?.calls.some((call) => call.startsWith('POST /nodes/pve/qemu')) ?? error?.message)).toEqual([
    true,
    true,
    expect.stringContaining('not proven'),
  ]);
  expect(lab.simulator.log.every(({ method }) => method === 'GET')).toBe(true);
  const runs = await publishAll(lab.context(), members, 2);
  expect(runs.map(({ image, outcome, publication }) => `${image.split(':')[0] ?? ''} ${outcome} ${publication?.state ?? 'nothing'}`)).toEqual([
    'web published current',
    'db failed planned',
    'cache failed nothing',
  ]);
  const xml = renderRuns(runs, 'junit');
  expect(xml).toMatch(/web:\S+ on proxmox:home, pve" tests="5" failures="0" skipped="2"/);
  expect([...xml.matchAll(/<error /g)]).toHaveLength(2);
  expect(renderRuns(runs, 'html')).toMatch(/<td class="failed">failed<\/td><td>db:[^]*no room/);
  expect(JSON.parse(renderRuns(runs, 'json'))).toMatchObject({ runs: [{ outcome: 'published' }, { outcome: 'failed' }, { error: { code: 'internal' } }] });
  const again = await publishAll(lab.context(), [memberOf(lab, platform, web), memberOf(lab, platform, db)], 2);
  expect(again.map(({ outcome }) => outcome)).toEqual(['unchanged', 'published']);
});

test('after Ctrl-C nothing new is begun', async () => {
  await using lab = await publishLab();
  await using platform = await lab.open();
  const stop = new AbortController();
  const [web, db] = await imagesOf(lab, ['web', 'db']);
  if (web === undefined || db === undefined) throw new Error('no images');
  const first = memberOf(lab, platform, web, {
    exportDisk: () => {
      stop.abort();
      return Promise.reject(new Error('stopped'));
    },
  });
  const runs = await publishAll(lab.context(stop.signal), [first, memberOf(lab, platform, db)], 1);
  expect(runs.map(({ outcome }) => outcome)).toEqual(['failed', 'stopped']);
  expect(renderRuns(runs, 'junit')).toContain('it was stopped before this one was begun');
});

test('a word with a star stands for the images with such a name, without their children and without those that are named already', () => {
  const names = ['web-1', 'web-2', 'web-2', 'web-2-vmware', 'web.1', 'db', 'shop-xen'];
  expect(imagesNamed(['web-*'], names)).toEqual(['web-1', 'web-2']);
  expect(imagesNamed(['web-2:1.4', 'web-?', 'd*'], names)).toEqual(['web-2:1.4', 'web-1', 'db']);
  expect(imagesNamed(['*'], names)).toEqual(['web-1', 'web-2', 'web.1', 'db', 'shop-xen']);
  expect(imagesNamed(['unknown'], names)).toEqual(['unknown']);
  expect(() => imagesNamed(['x*'], names)).toThrow(expect.objectContaining({ code: 'images-none' }));
  expect(() => imagesNamed(['web-1:a', 'web-1:b'], names)).toThrow(expect.objectContaining({ code: 'image-twice' }));
});

test('the name of a report says what kind it is', () => {
  expect(['a.html', '/x/b.XML', 'c.json'].map(reportFormatOf)).toEqual(['html', 'junit', 'json']);
  expect(() => reportFormatOf('report')).toThrow(expect.objectContaining({ code: 'report-format-unknown' }));
});
