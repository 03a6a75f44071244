import { expect, test, vi } from 'vitest';
import { publishLab } from '../../../tests/support/publish-lab.ts';
import { SimCluster } from '../../../tests/simulators/proxmox/cluster.ts';
import { listPublications } from '../../publish/journal.ts';

// Each is several publications, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

/** Nothing of a publication is there: no VM, no disk, no upload. */
const NOTHING = { vms: [], volumes: [] };

test('a VMID that somebody takes between the question and its use is left to them', async () => {
  await using lab = await publishLab();
  const { cluster } = lab.simulator;
  let taken = 0;
  lab.simulator.before = ({ method, path }) => {
    if (method !== 'POST' || path !== '/nodes/pve/qemu' || taken > 1) return;
    cluster.vms.set(100 + taken, { vmid: 100 + taken, node: 'pve', config: { name: `theirs-${taken}` }, running: true, snapshots: [] });
    taken += 1;
  };
  const { publication } = await lab.publish(await lab.image());
  expect(publication.places[0]?.facts['machine']).toMatchObject({ vmid: 102 });
  expect(cluster.vms.get(100)?.config['name']).toBe('theirs-0');
  expect(cluster.vms.get(101)?.running).toBe(true);
});

test.each([
  ['imgcopy', 'unexpected status', 'task-failed'],
  ['imgcopy', 'cp: error writing: No space left on device', 'storage-full'],
  ['imgcopy', "checksum mismatch: got 'e3b0c442' != expect '6a2da20943'", 'checksum-refused'],
  ['qmcreate', 'unable to parse directory volume name', 'task-failed'],
  ['qmcreate', 'qemu-img: error while writing: No space left on device', 'storage-full'],
  ['qmclone', 'clone failed: interrupted by signal', 'task-failed'],
  ['qmtemplate', 'command failed', 'task-failed'],
])('a task %s that fails with "%s" says so with its log; what is half built is removed, and the next run goes on', async (type, exit, code) => {
  await using lab = await publishLab();
  const { simulator } = lab;
  simulator.cluster.failures.push({ type, exit, log: 'a line of evidence' });
  const image = await lab.image();
  await expect(lab.publish(image)).rejects.toMatchObject({ code, detail: expect.stringContaining('a line of evidence') });
  expect(simulator.cluster.summary().vms.filter((line) => !line.includes(`web-${image.digest.slice(7, 15)}`) || line.includes('trial'))).toEqual([]);
  expect((await listPublications(lab.context()))[0]?.failure?.code).toBe(code);
  const bytes = simulator.uploaded;
  const { publication } = await lab.publish(image);
  expect(publication).toMatchObject({ state: 'current' });
  expect(publication.failure).toBeUndefined();
  // An upload that has arrived is not sent again.
  expect(simulator.uploaded - bytes).toBe(type === 'imgcopy' ? 300_000 : 0);
  expect(simulator.cluster.summary().vms).toHaveLength(1);
});

test('a task that meets the lock of somebody else is tried again, and warnings are a success with a text', async () => {
  await using lab = await publishLab();
  lab.simulator.cluster.failures.push(
    { type: 'qmcreate', exit: "can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout" },
    { type: 'qmclone', exit: 'WARNINGS: 1', log: 'WARN: thin pool is nearly full' },
  );
  expect((await lab.publish(await lab.image())).publication.state).toBe('current');
  expect(lab.messages.join('\n')).toMatch(/creating VM 100 on pve is tried again[^]*ended with warnings: WARN: thin pool is nearly full/);
});

test('a guest that does not come up fails the trial, and leaves nothing; the version that is current stays', async () => {
  await using lab = await publishLab();
  const { simulator } = lab;
  const first = await lab.image('web', 'first');
  await lab.publish(first);
  const before = simulator.cluster.summary();
  simulator.cluster.boot = () => Promise.resolve({ agent: () => false, addresses: () => [], stop: () => Promise.resolve() });
  const second = await lab.image('web', 'second');
  await expect(lab.publish(second)).rejects.toMatchObject({
    code: 'target-gate-failed',
    problems: [{ path: 'guest agent', message: expect.stringMatching(/Waited \d+ s in vain for its guest agent/) }],
  });
  expect(simulator.cluster.summary()).toEqual(before);
  expect((await listPublications(lab.context())).map(({ image, state }) => [image.digest, state])).toEqual(
    expect.arrayContaining([
      [first.digest, 'current'],
      [second.digest, 'planned'],
    ]),
  );
});

test('a login that is refused fails the trial; without one, it is not run and not passed', async () => {
  await using lab = await publishLab();
  lab.ssh.exitCode = 255;
  const image = await lab.image();
  await expect(lab.publish(image)).rejects.toMatchObject({
    code: 'target-gate-failed',
    problems: [{ path: 'login', message: expect.stringContaining('--no-ssh') }],
  });
  expect(lab.simulator.cluster.summary()).toEqual(NOTHING);
  const { publication } = await lab.publish(image, { ssh: false });
  expect(publication.places[0]?.checks.map(({ name, result }) => [name, result])).toContainEqual(['login', 'not-run']);
});

test('a token that may not do something is told with the line that lets it', async () => {
  await using lab = await publishLab();
  lab.simulator.lacks.add('VM.Allocate');
  await expect(lab.publish(await lab.image())).rejects.toMatchObject({
    code: 'permission-missing',
    hint: expect.stringMatching(/pveum role .*VM\.Allocate.*pveum acl modify \/vms\/100 --tokens 'ingot@pve!test'/),
  });
});

test('a node that is down gets nothing, and is no reason to stop', async () => {
  const cluster = new SimCluster(['pve1', 'pve2', 'pve3']);
  await using lab = await publishLab({ cluster });
  const down = cluster.nodes.get('pve2');
  if (down !== undefined) down.online = false;
  const image = await lab.image();
  const { publication } = await lab.publish(image, { places: { nodes: [], allNodes: true } });
  expect(publication.places.map(({ id }) => id)).toEqual(['pve1', 'pve3']);
  expect(lab.messages.join('\n')).toContain('The node pve2 is offline, and gets nothing');
  expect(new Set(publication.places.map(({ facts }) => JSON.stringify(facts['machine']))).size).toBe(2);
  await expect(lab.publish(await lab.image('shop'), { places: { nodes: ['pve2'], allNodes: false } })).rejects.toMatchObject({ code: 'node-down' });
  await expect(lab.publish(await lab.image('shop'), { places: { nodes: ['pve9'], allNodes: false } })).rejects.toMatchObject({ code: 'node-unknown' });
});

test('a storage that takes no disks yet is asked about, and gets the one word more', async () => {
  await using lab = await publishLab();
  const local = lab.simulator.cluster.storages.get('local');
  if (local !== undefined) local.content = ['iso', 'vztmpl', 'backup'];
  lab.agrees = false;
  const image = await lab.image();
  await expect(lab.publish(image)).rejects.toMatchObject({
    code: 'storage-unfit',
    hint: expect.stringContaining('pvesm set local --content iso,vztmpl,backup,import'),
  });
  lab.agrees = true;
  await lab.publish(image);
  expect(local?.content).toEqual(['iso', 'vztmpl', 'backup', 'import']);
});

test('a conversion that was cut between the flag and the disks is ended disk by disk', async () => {
  await using lab = await publishLab();
  const { simulator } = lab;
  const { cluster } = simulator;
  simulator.cluster.failures.push({ type: 'qmtemplate', exit: 'unexpected status' });
  const image = await lab.image();
  await expect(lab.publish(image)).rejects.toMatchObject({ code: 'task-failed' });
  expect(cluster.vms.get(100)?.config['template']).toBe('1');
  await lab.publish(image);
  expect(cluster.vms.get(100)?.config['scsi0']).toMatch(/^local-lvm:base-100-disk-0,/);
  // Nothing was tried out twice.
  expect(simulator.log.filter(({ path }) => path.endsWith('/clone'))).toHaveLength(1);
});

test('disks that a storage silently does not convert are found out', async () => {
  await using lab = await publishLab();
  lab.simulator.cluster.unconvertible.add('lvmthin');
  await expect(lab.publish(await lab.image())).rejects.toMatchObject({ code: 'template-incomplete', detail: expect.stringContaining('scsi0') });
});

test('Ctrl-C in the middle removes what is half built', async () => {
  await using lab = await publishLab();
  const stop = new AbortController();
  lab.simulator.before = ({ path }) => void (path.endsWith('/agent/ping') && stop.abort());
  const image = await lab.image();
  {
    await using platform = await lab.open({ signal: stop.signal });
    await expect(lab.publish(image, {}, platform)).rejects.toMatchObject({ class: 'interrupted' });
  }
  // The import is whole, and is gone on with; the trial is gone.
  expect([...lab.simulator.cluster.vms.values()].map(({ config }) => config['name'])).toEqual([`web-${image.digest.slice(7, 15)}`]);
  lab.simulator.before = () => undefined;
  expect((await lab.publish(image)).publication.state).toBe('current');
});
