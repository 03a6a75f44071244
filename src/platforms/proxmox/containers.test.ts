import { writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { publishLab, type PublishLab } from '../../../tests/support/publish-lab.ts';
import { hostPath } from '../../base/types.ts';
import type { NewContainer } from '../remote-vms.ts';

// Each is many requests, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const GIB = 2 ** 30;

async function wish(lab: PublishLab, name: string, change: Partial<NewContainer> = {}): Promise<NewContainer> {
  const bytes = Buffer.alloc(100_000, 'root file system');
  const path = hostPath(join(lab.at.home.root, 'web.tar.zst'));
  await writeFile(path, bytes);
  return {
    name,
    image: { reference: 'web:first', name: 'web', digest: `sha256:${'ab'.repeat(32)}` },
    archive: () => Promise.resolve({ path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }),
    machine: { cpus: 1, memory: 512, sshKeys: ['ssh-ed25519 AAAA ingot'] },
    disk: 4 * GIB,
    unprivileged: true,
    nesting: false,
    start: true,
    ...change,
  };
}

test('a container is made of an archive that is sent once, and used as a VM is', async () => {
  await using lab = await publishLab();
  await using platform = await lab.open();
  const cts = platform.containers;
  const web = await cts.create(await wish(lab, 'web', { nesting: true }));
  expect(web).toMatchObject({ kind: 'container', name: 'web', place: 'pve', state: 'running', ours: true });
  expect(lab.simulator.uploaded).toBe(100_000);
  const config: Record<string, string> = lab.simulator.cluster.vms.get(Number(web.id))?.config ?? {};
  expect(config).toMatchObject({ unprivileged: '1', features: 'nesting=1', hostname: 'web', net0: expect.stringContaining('name=eth0,bridge=vmbr0,ip=dhcp') });
  expect(await cts.access(web)).toMatchObject({ address: '192.0.2.20', user: 'root', identity: expect.stringContaining('BC:24:11') });
  expect(await cts.details(web)).toMatchObject({
    image: expect.stringMatching(/^web:/),
    address: '192.0.2.20',
    console: expect.stringContaining('console=lxc'),
  });
  // A VM is no container, and the other way round.
  await expect(platform.vms.find('web')).rejects.toMatchObject({ code: 'vm-unknown' });
  await expect(cts.create(await wish(lab, 'web'))).rejects.toMatchObject({ code: 'vm-exists' });

  await cts.snapshot(web, { name: 'before', memory: true });
  const copy = await cts.clone(web, { name: 'copy', start: false });
  expect(copy).toMatchObject({ kind: 'container', name: 'copy', state: 'stopped' });
  await expect(cts.toTemplate(web)).rejects.toMatchObject({ code: 'vm-running' });
  expect(await cts.stop(web, { timeout: 5, force: false })).toBe('shut-down');
  await cts.resize(web, { cpus: 2, memory: GIB, disk: 8 * GIB });
  await cts.deleteSnapshot(web, 'before');
  await cts.toTemplate(copy);
  expect((await cts.list({ all: true })).map(({ name }) => name)).toEqual(['web']);
  await cts.delete(web);
  await cts.create(await wish(lab, 'again', { start: false }));
  expect(lab.simulator.uploaded).toBe(100_000);
  expect(lab.simulator.wrong).toEqual([]);
});

test('(lost) at every request: there is one container or none, and making it again makes it', async () => {
  await using lab = await publishLab();
  await using platform = await lab.open();
  const cts = platform.containers;
  for (let at = 1; ; at++) {
    let count = 0;
    lab.simulator.fault = () => ((count += 1) === at ? 'lost' : undefined);
    await cts.create(await wish(lab, 'web')).catch(() => undefined);
    lab.simulator.fault = () => undefined;
    if (count < at) break;
    await lab.simulator.cluster.settle();
    const there = (await cts.list({ all: true })).find(({ name }) => name === 'web');
    if (there === undefined || (await cts.details(there)).state === 'unfinished') await cts.create(await wish(lab, 'web'));
    const web = await cts.find('web');
    await cts.stop(web, { timeout: 1, force: true });
    await cts.delete(web);
    expect(lab.simulator.cluster.vms.size, `request ${at}`).toBe(0);
  }
});

test('what is made nowhere says where it could be', async () => {
  await using lab = await publishLab();
  const local = lab.simulator.cluster.storages.get('local');
  if (local !== undefined) local.content = ['iso'];
  await using platform = await lab.open();
  await expect(platform.containers.create(await wish(lab, 'web'))).rejects.toMatchObject({ code: 'storage-unfit', hint: expect.stringContaining('vztmpl') });
  await expect(platform.containers.create(await wish(lab, 'web', { place: 'pve9' }))).rejects.toMatchObject({ code: 'node-unknown' });
});
