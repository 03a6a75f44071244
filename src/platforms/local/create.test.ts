import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sweepScratch } from '../../base/scratch.ts';
import { parseName } from '../../base/types.ts';
import { readQcow2Header } from '../../disk/qcow2.ts';
import { faultyHost, type Fault } from '../../../tests/support/faulty-host.ts';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { SAMPLE_DISK } from '../../../tests/support/sample-images.ts';
import { createVm, randomMac, randomUuid } from './create.ts';
import { parseNewDisk } from './extra-disks.ts';
import { parseForward } from './forwards.ts';
import { deleteVm } from './remove.ts';
import { viewVm } from './view.ts';
import { activePath, findVm, imageUsers, loadVm, loadVms, recordPath, rootDisk, seedPath } from './vms.ts';

const web = parseName('web', 'a VM');

describe('making a VM', () => {
  test('gives it an overlay on the top layer, a seed, a port, and an identity of its own', async () => {
    await using lab = await sampleLab();
    const { image } = lab;
    const { home } = lab.home;
    const vm = await createVm(lab.context(), newVm('web', { disk: 5 * SAMPLE_DISK }));
    expect(await loadVm(lab.host, home, web)).toEqual(vm);
    const [disk, seed] = [activePath(home.vm(web), rootDisk(vm).active), seedPath(home.vm(web))];
    const header = await readQcow2Header(lab.host.files, disk);
    const top = image.layers.at(-1);
    expect(header).toMatchObject({ virtualSize: 5 * SAMPLE_DISK, backing: { name: top === undefined ? '' : home.blob(top.digest), format: 'qcow2' } });
    expect(await lab.host.files.status(seed)).toMatchObject({ mode: 0o600 });
    expect(await lab.host.files.status(home.vm(web))).toMatchObject({ mode: 0o700 });
    expect(vm.image).toEqual({ reference: 'debian-12', digest: image.digest, layers: image.layers.map(({ digest }) => digest) });
    const other = await createVm(lab.context(), newVm('db'));
    for (const key of ['id', 'mac'] as const) expect(other[key]).not.toBe(vm[key]);
    expect(other.ssh.port).not.toBe(vm.ssh.port);
    expect(await imageUsers(lab.host, home)).toEqual(new Map([[image.digest, ['db', 'web']]]));
    expect(await lab.host.files.list(home.run)).toEqual([]);
  });

  test('a disk is never smaller than the image', async () => {
    await using lab = await sampleLab();
    await expect(createVm(lab.context(), newVm('web', { disk: SAMPLE_DISK - 512 }))).rejects.toMatchObject({
      code: 'disk-too-small',
      hint: expect.stringContaining('--disk 1.0MiB'),
    });
    expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
  });

  test('a name is used once, and another is suggested', async () => {
    await using lab = await sampleLab();
    const first = await createVm(lab.context(), newVm('web'));
    await createVm(lab.context(), newVm('web-2'));
    await expect(createVm(lab.context(), newVm('web', { image: 'unknown' }))).rejects.toMatchObject({
      code: 'vm-exists',
      hint: expect.stringContaining('web-3'),
    });
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(first);
  });

  test('ten at once have ten ports, and one name goes to one of them', async () => {
    await using lab = await sampleLab();
    const vms = await Promise.all(Array.from({ length: 10 }, (_, index) => createVm(lab.context(), newVm(`vm${index}`))));
    expect(new Set(vms.map(({ ssh }) => ssh.port)).size).toBe(10);
    const same = await Promise.allSettled([1, 2, 3].map(() => createVm(lab.context(), newVm('same'))));
    expect(same.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  test('a port that the user wants must be free', async () => {
    await using lab = await sampleLab();
    const listening = Promise.withResolvers<number>();
    const server = createServer();
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server.address();
      listening.resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
    const taken = await listening.promise;
    await expect(createVm(lab.context(), newVm('web', { sshPort: taken }))).rejects.toMatchObject({ code: 'port-taken', class: 'conflict' });
    server.close();
    const { ssh } = await createVm(lab.context(), newVm('web', { sshPort: taken }));
    expect(ssh).toMatchObject({ port: taken, fixed: true });
    await expect(createVm(lab.context(), newVm('db', { sshPort: taken }))).rejects.toMatchObject({
      code: 'port-taken',
      message: `Port ${taken} of 127.0.0.1 is taken by the VM web`,
    });
  });

  test('memory that the host has not got is refused with the sums, before anything is made', async () => {
    await using lab = await sampleLab();
    const host = { ...lab.host, machine: { ...lab.host.machine, memory: 2 ** 31, freeMemory: () => 2 ** 29 } };
    await expect(createVm(lab.context(host), newVm('web', { start: true }))).rejects.toMatchObject({
      code: 'memory-short',
      message: expect.stringMatching(/1\.0 GiB.*512 MiB.*2\.0 GiB/),
    });
    expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
  });

  test('a VM that cannot be started is gone again', async () => {
    await using lab = await sampleLab();
    const spawn = () => {
      throw new Error('no process can be started');
    };
    const host = { ...lab.host, machine: { ...lab.host.machine, arch: 'arm64' }, processes: { ...lab.host.processes, spawn } };
    await expect(createVm(lab.context(host), newVm('web', { start: true }))).rejects.toThrow();
    expect(await lab.host.files.list(lab.home.home.vms)).toEqual([]);
    expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
  });
});

describe('what a VM is made of', () => {
  test('disks besides the root stand on nothing, each in a slot', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web', { extraDisks: [parseNewDisk('data=20GiB'), parseNewDisk('logs=1GiB')] }));
    expect(vm.disks.map(({ name, size, slot }) => [name, size, slot])).toEqual([
      ['root', 10 * 2 ** 30, undefined],
      ['data', 20 * 2 ** 30, 0],
      ['logs', 2 ** 30, 1],
    ]);
    const header = await readQcow2Header(lab.host.files, activePath(lab.home.home.vm(web), vm.disks[1]?.active ?? ''));
    expect(header).toMatchObject({ virtualSize: 20 * 2 ** 30, backing: undefined });
    expect(await viewVm(lab.context(), vm)).toMatchObject({ extraDisks: [{ name: 'data' }, { name: 'logs' }] });
  });

  test('forwards get the ports that are asked for, or free ones, and no other VM the same', async () => {
    await using lab = await sampleLab();
    const forwards = ['29876:80', '443', 'udp:53'].map(parseForward);
    const vm = await createVm(lab.context(), newVm('web', { forwards }));
    const [fixed, chosen, udp] = vm.forwards;
    expect(fixed).toEqual({ protocol: 'tcp', address: '127.0.0.1', host: 29_876, guest: 80 });
    expect(chosen).toMatchObject({ guest: 443, chosen: true });
    expect(udp).toMatchObject({ protocol: 'udp', guest: 53, chosen: true });
    expect(chosen?.host).not.toBe(vm.ssh.port);
    await expect(createVm(lab.context(), newVm('db', { forwards: [parseForward('0.0.0.0:29876:80')] }))).rejects.toMatchObject({
      code: 'port-taken',
      message: 'Port 29876 of 0.0.0.0 is taken by the VM web',
    });
    const other = await createVm(lab.context(), newVm('db', { forwards: [parseForward('udp:29876:80'), parseForward('443')] }));
    expect(new Set([vm.ssh.port, other.ssh.port, chosen?.host, other.forwards[1]?.host]).size).toBe(4);
    await expect(createVm(lab.context(), newVm('x', { forwards: [parseForward('192.0.2.77:80:80')] }))).rejects.toMatchObject({ code: 'address-unknown' });
  });

  test('a password is known by its hash alone, and only to the seed', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web', { passwordHash: '$6$salt$hash' }));
    expect(vm.passwordLogin).toBe(true);
    expect(JSON.stringify([vm, lab.ran, lab.messages])).not.toContain('$6$');
  });

  test('folders that cannot be shared are refused before anything is made', async () => {
    await using lab = await sampleLab();
    const share = { host: lab.home.home.root, guest: '/srv/x', readOnly: false };
    const noDaemon = { ...lab.host, machine: { ...lab.host.machine, platform: 'darwin' } } as const;
    await expect(createVm(lab.context(noDaemon), newVm('web', { shares: [share] }))).rejects.toMatchObject({
      code: 'share-unsupported',
      message: expect.stringContaining('Linux hosts alone'),
    });
    await expect(createVm(lab.context(), newVm('web', { shares: [{ ...share, host: '/nowhere' }] }))).rejects.toMatchObject({ code: 'share-invalid' });
    expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
    expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
  });
});

describe.each<Fault>(['kill', 'torn', 'full'])('%s at every effect', { timeout: 60_000 }, (fault) => {
  test('of making a VM: it is there whole, or its name is free', async () => {
    for (let at = 1; ; at++) {
      await using lab = await sampleLab();
      const { home } = lab.home;
      const faulty = faultyHost(lab.host, at, fault);
      const request = newVm('web', { extraDisks: [parseNewDisk('data=1GiB')], forwards: [parseForward('80')] });
      await createVm(lab.context(faulty.host), request).catch(() => undefined);
      if (!faulty.hit()) {
        if (at > faulty.log.length) break;
        continue;
      }
      const after = await findVm(lab.host, home, web);
      if (after === undefined) {
        expect(await lab.host.files.list(home.vms), faulty.log.at(at - 1)).toEqual([]);
        await createVm(lab.context(), newVm('web'));
      } else {
        for (const disk of [...after.disks.map(({ active }) => activePath(home.vm(web), active)), seedPath(home.vm(web))])
          expect(await lab.host.files.status(disk), faulty.log.at(at - 1)).toBeDefined();
      }
      await sweepScratch(lab.host, home);
      expect(await lab.host.files.list(home.run), faulty.log.at(at - 1)).toEqual([]);
    }
  });

  test('of deleting it: it is there whole, or gone', async () => {
    for (let at = 1; ; at++) {
      await using lab = await sampleLab();
      const { home } = lab.home;
      await createVm(lab.context(), newVm('web'));
      const faulty = faultyHost(lab.host, at, fault);
      await deleteVm(lab.context(faulty.host), web, { force: false }).catch(() => undefined);
      if (!faulty.hit()) {
        if (at > faulty.log.length) break;
        continue;
      }
      if ((await findVm(lab.host, home, web)) !== undefined) await deleteVm(lab.context(), web, { force: false });
      await sweepScratch(lab.host, home);
      expect([await lab.host.files.list(home.vms), await lab.host.files.list(home.run)], faulty.log.at(at - 1)).toEqual([[], []]);
    }
  });
});

describe('records', () => {
  test('a damaged one is told, is no image without users, and can be deleted by force', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await createVm(lab.context(), newVm('web'));
    await lab.host.files.write(recordPath(home.vm(web)), '{"v":1,"name"');
    await expect(imageUsers(lab.host, home)).rejects.toMatchObject({ code: 'vm-damaged' });
    await expect(deleteVm(lab.context(), web, { force: false })).rejects.toMatchObject({ code: 'vm-damaged', hint: expect.stringContaining('--force') });
    await deleteVm(lab.context(), web, { force: true });
    expect(await imageUsers(lab.host, home)).toEqual(new Map());
  });

  test('a newer one is refused', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await lab.host.files.makeDirectory(home.vm(web));
    await lab.host.files.write(recordPath(home.vm(web)), '{"v":99}');
    await expect(loadVm(lab.host, home, web)).rejects.toMatchObject({ code: 'vm-newer' });
  });

  test('an unknown one brings the nearest names', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    await expect(loadVm(lab.host, lab.home.home, parseName('wbe', 'a VM'))).rejects.toMatchObject({ code: 'vm-unknown', hint: 'Did you mean web?' });
  });
});

test('the private key appears once, last, and is shared by all VMs', async () => {
  await using lab = await sampleLab();
  await Promise.all(['a', 'b', 'c'].map((name) => createVm(lab.context(), newVm(name))));
  expect(lab.ran.filter(([program]) => program === 'ssh-keygen')).toHaveLength(1);
  expect(await lab.host.files.status(join(lab.home.home.keys, 'id_ed25519'))).toMatchObject({ mode: 0o600 });
});

test('identities are well-formed', async () => {
  await using lab = await sampleLab();
  expect(randomUuid(lab.host)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(randomMac(lab.host)).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
});
