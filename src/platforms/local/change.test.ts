import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { realHost, type Host } from '../../base/host.ts';
import { parseName } from '../../base/types.ts';
import { faultyHost } from '../../../tests/support/faulty-host.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { createVm } from './create.ts';
import { addDisk, removeDisk } from './disk-change.ts';
import { parseNewDisk } from './extra-disks.ts';
import { addForwards, removeForwards } from './forward-change.ts';
import { formatForward, parseForward } from './forwards.ts';
import { freezeDisks } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { launch } from './launch.ts';
import { withVmPorts } from './power.ts';
import { deleteVm } from './remove.ts';
import { loadVm, saveVm } from './vms.ts';

const FAKE_QEMU = fileURLToPath(new URL('../../../tests/support/fake-qemu.ts', import.meta.url));
const web = parseName('web', 'a VM');
const forwards = (...texts: string[]) => texts.map(parseForward);

/** Lets a stand-in for QEMU run as the VM's. */
async function run(lab: SampleLab): Promise<void> {
  const files = guestFiles(lab.home.home.vm(web));
  await launch(realHost(), files, [process.execPath, FAKE_QEMU, files.qmp, 'deaf', '-pidfile', files.pid], 'detached');
}

const qcow2Files = async (lab: SampleLab): Promise<number> =>
  (await lab.host.files.list(lab.home.home.vm(web))).filter((name) => name.endsWith('.qcow2')).length;

describe('forwards of a VM that is there', () => {
  test.each([false, true])('running: %s', async (running) => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await createVm(lab.context(), newVm('web', { forwards: forwards('29870:80') }));
    if (running) await run(lab);
    const after = await addForwards(lab.context(), web, forwards('29871:81', '29870:80', '82'));
    expect(after.map(formatForward)).toEqual(['29870:80', '29871:81', expect.stringMatching(/^\d+:82$/)]);
    expect((await loadVm(lab.host, home, web)).forwards).toEqual(after);
    await expect(addForwards(lab.context(), web, forwards('29871:90'))).rejects.toMatchObject({ code: 'forward-twice' });
    expect((await removeForwards(lab.context(), web, forwards('80', '29871'))).map(({ guest }) => guest)).toEqual([82]);
    await expect(removeForwards(lab.context(), web, forwards('80'))).rejects.toMatchObject({ code: 'forward-unknown' });
    await deleteVm(lab.context(), web, { force: true });
  });

  test('a start moves the ports that ingot chose where others have them, and says so; one that the user chose is an error', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web', { forwards: forwards('80', '29872:81') }));
    const taken = vm.forwards[0]?.host ?? 0;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: taken }, resolve));
    const moved = await withVmPorts(lab.context(), vm, (current) => Promise.resolve(current));
    server.close();
    expect(moved.forwards[0]?.host).not.toBe(taken);
    expect(moved.forwards[1]).toEqual(vm.forwards[1]);
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(moved);
    expect(lab.messages.at(-1)).toBe(`Port ${taken} is taken by another program: web now has ${moved.forwards[0]?.host}`);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen({ host: '127.0.0.1', port: 29_872 }, resolve));
    await expect(withVmPorts(lab.context(), moved, () => Promise.resolve())).rejects.toMatchObject({ code: 'port-taken' });
    other.close();
  });
});

describe('disks of a VM that is there', () => {
  test('come and go, each in a slot that is free', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web', { extraDisks: [parseNewDisk('a=1GiB'), parseNewDisk('b=1GiB')] }));
    await removeDisk(lab.context(), web, 'a', { force: false });
    expect(await addDisk(lab.context(), web, parseNewDisk('c=1GiB'))).toBe('at-next-start');
    const { disks } = await loadVm(lab.host, lab.home.home, web);
    expect(disks.map(({ name, slot }) => [name, slot])).toEqual([
      ['root', undefined],
      ['b', 1],
      ['c', 0],
    ]);
    expect(await qcow2Files(lab)).toBe(3);
    await expect(addDisk(lab.context(), web, parseNewDisk('b=1GiB'))).rejects.toMatchObject({ code: 'disk-exists' });
    await expect(removeDisk(lab.context(), web, 'root', { force: true })).rejects.toMatchObject({ code: 'disk-root' });
    await expect(removeDisk(lab.context(), web, 'x', { force: true })).rejects.toMatchObject({ code: 'disk-unknown', hint: 'It has b, c.' });
  });

  test('one that a snapshot has goes, and the snapshot keeps it', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const vm = await createVm(lab.context(), newVm('web', { extraDisks: [parseNewDisk('a=1GiB')] }));
    const disks = (frozen: typeof vm) => frozen.disks.map(({ name, size, frozen: below }) => ({ name, size, frozen: below }));
    await freezeDisks(lab.context(), vm, (next) => ({
      ...next,
      snapshots: [{ name: 's', created: vm.created, disks: disks(next), cpus: 1, memory: 1 }],
    }));
    await removeDisk(lab.context(), web, 'a', { force: false });
    expect(await lab.host.files.list(home.frozen)).toHaveLength(2);
    await saveVm(lab.host, home, { ...(await loadVm(lab.host, home, web)), suspended: { file: 'abcdef', key: '', bytes: 0 } });
    await expect(addDisk(lab.context(), web, parseNewDisk('b=1GiB'))).rejects.toMatchObject({ code: 'vm-suspended' });
  });

  test('killed at any effect: the record names what is there, and the next change sweeps the rest', { timeout: 60_000 }, async () => {
    for (let at = 1; ; at++) {
      await using lab = await sampleLab();
      const { home } = lab.home;
      await createVm(lab.context(), newVm('web', { extraDisks: [parseNewDisk('a=1GiB')] }));
      const faulty = faultyHost(lab.host, at, 'kill');
      const change = (host?: Host) =>
        addDisk(lab.context(host), web, parseNewDisk('b=1GiB')).then(() => removeDisk(lab.context(host), web, 'a', { force: false }));
      await change(faulty.host).catch(() => undefined);
      if (!faulty.hit()) {
        if (at > faulty.log.length) break;
        continue;
      }
      for (const disk of (await loadVm(lab.host, home, web)).disks) {
        expect(await lab.host.files.list(home.vm(web)), faulty.log.at(at - 1)).toContain(`${disk.active}.qcow2`);
      }
      await addDisk(lab.context(), web, parseNewDisk('c=1GiB'));
      expect(await qcow2Files(lab), faulty.log.at(at - 1)).toBe((await loadVm(lab.host, home, web)).disks.length);
    }
  });
});
