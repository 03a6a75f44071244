import { describe, expect, test } from 'vitest';
import { parseName } from '../../base/types.ts';
import { readQcow2Header } from '../../disk/qcow2.ts';
import { faultyHost, type Fault } from '../../../tests/support/faulty-host.ts';
import { fakeDisks } from '../../../tests/support/fake-disks.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { createVm } from './create.ts';
import { freezeDisks, sweepFrozen } from './frozen.ts';
import { holdVm } from './power.ts';
import { deleteVm } from './remove.ts';
import { activePath, findVm, loadVm, recordPath, rootDisk, VM_VERSION } from './vms.ts';

const web = parseName('web', 'a VM');

/** The disks in its folder. */
async function disksIn(lab: SampleLab): Promise<string[]> {
  return (await lab.host.files.list(lab.home.home.vm(web))).filter((file) => file.endsWith('.qcow2'));
}

test('what was written before is frozen, and the VM goes on above it', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  const before = await lab.host.files.status(activePath(home.vm(web), rootDisk(vm).active));
  const next = await freezeDisks(lab.context(), vm, (record) => ({ ...record, protected: true }));
  expect(await loadVm(lab.host, home, web)).toEqual(next);
  expect(next).toMatchObject({ protected: true, disks: [{ name: 'root', frozen: [expect.any(String)] }] });
  const { frozen, active } = rootDisk(next);
  const below = home.frozenDisk(frozen[0] ?? '');
  expect((await lab.host.files.status(below))?.inode).toBe(before?.inode);
  expect((await readQcow2Header(lab.host.files, activePath(home.vm(web), active))).backing).toEqual({ name: below, format: 'qcow2' });
  expect(await disksIn(lab)).toEqual([`${active}.qcow2`]);
});

test('a machine that runs goes on in the new file', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  await using qemu = await fakeDisks(home.vm(web), { 'disk-root': `root-${rootDisk(vm).active}` });
  const next = await freezeDisks(lab.context(), vm, (record) => record);
  expect(qemu.current).toEqual({ 'disk-root': `root-${rootDisk(next).active}` });
  expect(await loadVm(lab.host, home, web)).toEqual(next);
  expect(next.unsettled).toBeUndefined();
});

test('frozen files stay while a record names them, and go with the last one', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const vm = await freezeDisks(lab.context(), await createVm(lab.context(), newVm('web')), (record) => record);
  const { name: _, ...other } = await createVm(lab.context(), newVm('db'));
  const db = { ...other, name: 'db', disks: other.disks.map((disk) => ({ ...disk, frozen: rootDisk(vm).frozen })) };
  await lab.host.files.write(recordPath(home.vm(parseName('db', 'a VM'))), JSON.stringify(db));
  expect(await sweepFrozen(lab.context())).toBe(0);
  await deleteVm(lab.context(), web, { force: false });
  expect(await lab.host.files.list(home.frozen)).toHaveLength(1);
  await deleteVm(lab.context(), parseName('db', 'a VM'), { force: false });
  expect(await lab.host.files.list(home.frozen)).toEqual([]);
});

test('a record that cannot be read keeps everything', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  await freezeDisks(lab.context(), await createVm(lab.context(), newVm('web')), (record) => record);
  await lab.host.files.write(recordPath(home.vm(web)), '{');
  await expect(sweepFrozen(lab.context())).rejects.toMatchObject({ code: 'vm-damaged' });
  expect(await lab.host.files.list(home.frozen)).toHaveLength(1);
});

describe('a freeze that ends at any of its effects', () => {
  test.each(['kill', 'torn', 'full'] satisfies Fault[])(
    '%s: loses nothing that the VM has, and leaves nothing that stays',
    async (fault) => {
      for (let at = 1; ; at++) {
        await using lab = await sampleLab();
        const { home } = lab.home;
        const vm = await createVm(lab.context(), newVm('web'));
        const content = (await lab.host.files.status(activePath(home.vm(web), rootDisk(vm).active)))?.inode;
        const faulty = faultyHost(lab.host, at, fault);
        await freezeDisks(lab.context(faulty.host), vm, (record) => record).catch(() => undefined);
        if (!faulty.hit()) {
          if (at > faulty.log.length) break;
          continue;
        }
        const after = await loadVm(lab.host, home, web);
        const { frozen, active } = rootDisk(after);
        const holder = frozen.length === 0 ? activePath(home.vm(web), active) : home.frozenDisk(frozen[0] ?? '');
        expect((await lab.host.files.status(holder))?.inode, faulty.log.at(at - 1)).toBe(content);
        expect(await lab.host.files.status(activePath(home.vm(web), active)), faulty.log.at(at - 1)).toBeDefined();
        {
          // Whoever holds it next, for whatever.
          await using held = await holdVm(lab.context(), web, 'a test');
          expect(held.vm, faulty.log.at(at - 1)).toEqual(after);
          expect(await disksIn(lab), faulty.log.at(at - 1)).toEqual([`${active}.qcow2`]);
        }
        const settled = await freezeDisks(lab.context(), after, (record) => record);
        await sweepFrozen(lab.context());
        expect(await lab.host.files.list(home.frozen), faulty.log.at(at - 1)).toHaveLength(rootDisk(settled).frozen.length);
        expect(await disksIn(lab), faulty.log.at(at - 1)).toHaveLength(1);
      }
    },
    180_000,
  );
});

test('a VM of an older ingot has its disk, and nothing that it did not know', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const { disks, forwards: _forwards, snapshots: _snapshots, protected: _protected, autostart, ...rest } = await createVm(lab.context(), newVm('web'));
  await lab.host.files.write(recordPath(home.vm(web)), JSON.stringify({ ...rest, v: 1, disk: disks[0]?.size }));
  const vm = await findVm(lab.host, home, web);
  expect(vm).toMatchObject({
    v: VM_VERSION,
    disks: [{ name: 'root', size: disks[0]?.size, frozen: [], active: 'disk' }],
    forwards: [],
    snapshots: [],
    autostart,
  });
});
