import { expect, test, vi } from 'vitest';
import { cloudLab } from '../../../tests/support/cloud-lab.ts';
import { standInBoot } from '../../../tests/simulators/cloudstack/model.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';
import { sampleDisk } from '../../../tests/support/publish-lab.ts';
import { publishedImage } from '../../publish/image.ts';
import { listPublications, publicationId, readPublication } from '../../publish/journal.ts';
import { planPublication } from '../../publish/plan.ts';
import type { PublishRequest } from '../../publish/publish.ts';

// Each is several publications; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const NOTHING = { templates: [], vms: [], keyPairs: [], rules: [] };

test('an image becomes one template for three zones, each proven on an instance, and is the current one', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2', 'z3']) });
  const image = await lab.image();
  const { publication, outcome } = await lab.publish(image, { machine: { visibility: 'featured' } });
  expect(outcome).toBe('published');
  expect(publication.state).toBe('current');
  expect(publication.places.map(({ id, state, checks }) => [id, state, checks.map(({ name, result }) => `${name} ${result}`).join(', ')])).toEqual(
    ['z1', 'z2', 'z3'].map((zone) => [
      zone,
      'validated',
      'deploy passed, address passed, login passed, cloud-init passed, hostname passed, grown root passed, reboot passed, password reset passed',
    ]),
  );
  expect(lab.simulator.wrong).toEqual([]);
  expect(lab.simulator.cloud.templates.size).toBe(1);
  expect(lab.simulator.log.filter(({ command }) => command === 'registerTemplate')).toHaveLength(1);
  expect(lab.exported).toEqual([{ format: 'qcow2', guest: 'kvm', options: { compression: 'zlib' } }]);
  const { templates, ...rest } = lab.simulator.cloud.summary();
  expect(rest).toEqual({ vms: [], keyPairs: [], rules: [] });
  expect(templates).toHaveLength(3);
  expect(templates[0]).toMatch(/^web-[0-9a-f]{8} in z1 ready=true public=true featured=true .*ingot-current=true/);
  expect(lab.simulator.log.filter(({ method, command }) => method === 'GET' && !/^(?:list|query)/.test(command))).toEqual([]);
});

test('publishing an unchanged image again sends no bytes and changes nothing', async () => {
  await using lab = await cloudLab();
  const image = await lab.image();
  await lab.publish(image);
  const [before, exports] = [lab.simulator.log.length, lab.exported.length];
  expect((await lab.publish(image)).outcome).toBe('unchanged');
  expect(lab.exported).toHaveLength(exports);
  expect(lab.simulator.log.slice(before).every(({ method }) => method === 'GET')).toBe(true);
  expect(await listPublications(lab.context())).toHaveLength(1);
});

test('an upload goes to one zone, and is copied to the others', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2', 'z3']) });
  const { publication } = await lab.publish(await lab.image(), { places: { nodes: [], allNodes: true, transfer: { kind: 'upload' } } });
  expect(publication.state).toBe('current');
  expect(lab.simulator.uploads).toBe(1);
  expect(lab.simulator.log.filter(({ command }) => command === 'copyTemplate')).toHaveLength(2);
  expect(lab.simulator.cloud.templates.size).toBe(1);
  expect(lab.simulator.wrong).toEqual([]);
});

test('each hypervisor of a zone gets a template of its own format', async () => {
  const cloud = new SimCloud([]);
  cloud.addZone('mixed', { hypervisors: ['KVM', 'VMware'] });
  cloud.addZone('xen', { hypervisors: ['XenServer'] });
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  const { publication } = await lab.publish(image);
  expect(publication.places.map(({ id, disk }) => [id, disk.format])).toEqual([
    ['mixed/KVM', 'qcow2'],
    ['mixed/VMware', 'ova'],
    ['xen', 'vhd'],
  ]);
  expect([...cloud.templates.values()].map(({ hypervisor, format }) => `${hypervisor} ${format}`).toSorted()).toEqual([
    'KVM QCOW2',
    'VMware OVA',
    'XenServer VHD',
  ]);
  expect((await lab.publish(image, { places: { nodes: ['mixed', 'xen'], allNodes: false } })).outcome).toBe('unchanged');
  await expect(lab.publish(image, { places: { nodes: ['mixed'], allNodes: false } })).rejects.toMatchObject({ code: 'publication-differs' });
});

test('a hypervisor that takes a child of the image gets that: it is built, has its own digest in the journal, and the plan says so', async () => {
  const cloud = new SimCloud([]);
  cloud.addZone('mixed', { hypervisors: ['KVM', 'VMware'] });
  cloud.addZone('esx', { hypervisors: ['VMware'] });
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  const child = await lab.image('web-vmware');
  let isBuilt = false;
  const asked: boolean[] = [];
  const change: Partial<PublishRequest> = {
    async findChild(guest, { build }) {
      asked.push(build);
      if (guest === 'kvm') return undefined;
      isBuilt ||= build;
      return { name: 'web-vmware', digest: isBuilt ? child.digest : undefined };
    },
    exportDisk: async (wish, from) => {
      lab.exported.push(wish);
      return await sampleDisk(lab.at, from === undefined ? image : child, wish.format);
    },
  };
  await using platform = await lab.open();
  const plan = async (): Promise<string> => {
    const found = await planPublication({
      ...{ platform, target: 'cloudstack:prod', places: { nodes: [], allNodes: false }, machine: {}, size: { virtual: 2 ** 30, file: 2 ** 20 } },
      ...{ ssh: true, promote: true, keep: 3, exportDisk: () => Promise.reject(new Error('not now')) },
      image: publishedImage(image, 'web', 'cloudstack:prod', { unproven: false }),
      ...(change.findChild === undefined ? {} : { findChild: change.findChild }),
    });
    return found.places.flatMap(({ why }) => why).join('\n');
  };
  expect(await plan()).toMatch(/mixed\/VMware: what goes there is web-vmware, a child of this image, which is built first/);
  expect(asked.every((build) => !build)).toBe(true);
  const { publication } = await lab.publish(image, change, platform);
  expect(publication.places.map((place) => [place.id, place.child])).toEqual([
    ['esx', `web-vmware@${child.digest}`],
    ['mixed/KVM', undefined],
    ['mixed/VMware', `web-vmware@${child.digest}`],
  ]);
  expect(lab.exported.map(({ format }) => format).toSorted()).toEqual(['ova', 'qcow2']);
  expect(await plan()).toContain(`esx: what goes there is web-vmware@${child.digest}, a child of this image`);
});

test('one zone of three that fails is rolled back alone, and the current version stays; when it is mended, only that zone is done again', async () => {
  const cloud = new SimCloud(['z1', 'z2', 'z3']);
  await using lab = await cloudLab({ cloud });
  const first = await lab.image('web', 'one');
  await lab.publish(first, { machine: { visibility: 'public' } });
  const broken = cloud.zoneNamed('z2');
  broken.deployFails = 'Insufficient capacity';
  const second = await lab.image('web', 'two');
  await expect(lab.publish(second, { machine: { visibility: 'public' } })).rejects.toMatchObject({
    code: 'target-gate-failed',
    problems: [{ path: 'deploy', message: expect.stringContaining('Insufficient capacity') }],
  });
  // Every check stands in the report, also those to which it did not come.
  const failed =
    (await readPublication(lab.context(), publicationId('cloudstack:prod', { name: 'web', digest: second.digest })))?.places.find(({ id }) => id === 'z2')
      ?.checks ?? [];
  expect(failed.map(({ name, result }) => `${name} ${result}`).slice(0, 3)).toEqual(['deploy failed', 'address not-run', 'login not-run']);
  const lines = (image: typeof first): string[] => cloud.summary().templates.filter((line) => line.startsWith(`web-${image.digest.slice(7, 15)}`));
  expect(lines(first).every((line) => line.includes('public=true') && line.includes('ingot-current=true'))).toBe(true);
  expect(lines(second).map((line) => / in (z\d) /.exec(line)?.[1])).toEqual(['z1', 'z3']);
  expect(lines(second).some((line) => line.includes('public=true') || line.includes('ingot-current'))).toBe(false);
  expect(cloud.summary()).toMatchObject({ vms: [], keyPairs: [] });
  broken.deployFails = undefined;
  const deployed = (): number => lab.simulator.log.filter(({ command }) => command === 'deployVirtualMachine').length;
  const before = deployed();
  const { publication } = await lab.publish(second, { machine: { visibility: 'public' } });
  expect(publication.state).toBe('current');
  expect(deployed() - before).toBe(1);
  expect(lines(second)).toHaveLength(3);
  expect(lines(first).some((line) => line.includes('public=true') || line.includes('ingot-current'))).toBe(false);
});

test.each([
  ['a zone that stalls', { stallsAt: 37 }, 'download-stalled', /no progress in the zone z2 .* at 37 %/],
  ['a download that fails', { failsWith: 'HTTP status 403' }, 'download-failed', /could not take web-.*: HTTP status 403/],
  ['a full store', { storeUsed: 990 * 2 ** 30 }, 'zone-takes-nothing', /z2 takes no template/],
  ['no SSVM', { ssvm: 'Stopped' as const }, 'download-stalled', /no progress in the zone z2/],
])('%s is told with its cause, and removed; the others go on', async (_what, change, code, message) => {
  const cloud = new SimCloud([]);
  cloud.addZone('z1');
  cloud.addZone('z2', change);
  await using lab = await cloudLab({ cloud });
  const image = await lab.image();
  await expect(lab.publish(image)).rejects.toMatchObject({ code, message: expect.stringMatching(message), detail: expect.stringMatching(/./) });
  expect(cloud.summary().templates.map((line) => / in (z\d) ready=(\w+)/.exec(line)?.slice(1).join(' '))).toEqual(['z1 true']);
  Object.assign(cloud.zoneNamed('z2'), { stallsAt: undefined, failsWith: undefined, storeUsed: 0, ssvm: 'Running' });
  expect((await lab.publish(image)).publication.state).toBe('current');
  expect(cloud.summary().templates).toHaveLength(2);
});

test('checks inside the guest fail the trial, and leave nothing', async () => {
  await using lab = await cloudLab();
  const image = await lab.image();
  lab.guest.hostname = 'localhost';
  lab.guest.root = 1;
  lab.guest.takesPasswords = false;
  await expect(lab.publish(image)).rejects.toMatchObject({ problems: [{ path: 'hostname' }, { path: 'grown root' }, { path: 'password reset' }] });
  expect(lab.simulator.cloud.summary()).toEqual(NOTHING);
  lab.guest.exitCode = 255;
  await expect(lab.publish(image)).rejects.toMatchObject({ problems: [{ path: 'login', message: expect.stringContaining('--no-ssh') }] });
  const { publication } = await lab.publish(image, { ssh: false });
  expect(publication.places[0]?.checks.filter(({ result }) => result === 'not-run').map(({ name }) => name)).toEqual([
    'login',
    'cloud-init',
    'hostname',
    'grown root',
    'reboot',
    'password reset',
  ]);
});

test('a guest that does something is waited for longer than one that is dead', async () => {
  await using lab = await cloudLab();
  const image = await lab.image();
  lab.guest.exitCode = 255;
  const waited = (seconds: number) => ({ problems: [{ path: 'login', message: expect.stringMatching(new RegExp(`within ${seconds}\\d s`)) }] });
  await expect(lab.publish(image)).rejects.toMatchObject(waited(18));
  let done = 0;
  lab.simulator.cloud.boot = async (request) => ({ ...(await standInBoot(request)), activity: () => (done += 1) });
  await expect(lab.publish(image)).rejects.toMatchObject(waited(72));
});

test.each([
  ['4.22', true],
  ['4.18', false],
] as const)('an image with what the Kubernetes service wants of a node is said to be one, by a server of %s: %s', async (version, told) => {
  await using lab = await cloudLab({ version });
  const image = await lab.image();
  const published = publishedImage(image, 'web', 'cloudstack:prod', { unproven: false });
  const layers = published.details.layers.map((layer, index) => (index === 0 ? { ...layer, kind: 'role', name: 'cks' } : layer));
  await lab.publish(image, { image: { ...published, details: { ...published.details, layers } } });
  expect([...lab.simulator.cloud.templates.values()].map(({ fields }) => fields['forcks'])).toEqual([told]);
  expect(lab.messages.join('\n')).toContain(told ? 'Kubernetes clusters of CloudStack can be made of it' : 'cannot be made of it: that is from 4.21 on');
  expect(lab.simulator.wrong).toEqual([]);
});
