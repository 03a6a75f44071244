import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseName } from '../../base/types.ts';
import { faultyHost, type Fault } from '../../../tests/support/faulty-host.ts';
import { fakeDisks } from '../../../tests/support/fake-disks.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { readQcow2Header } from '../../disk/qcow2.ts';
import { createVm } from './create.ts';
import { sweepFrozen } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { restoreSnapshot } from './snapshot-restore.ts';
import { freeSnapshotName, snapshotRows, withoutSnapshot } from './snapshot-tree.ts';
import { createSnapshots, deleteSnapshot } from './snapshots.ts';
import type { Share } from './vm-record.ts';
import { pauseLocked, suspendLocked } from './suspend.ts';
import { activePath, diskChain, loadVm, rootDisk, saveVm, type VmRecord } from './vms.ts';

const [web, db] = [parseName('web', 'a VM'), parseName('db', 'a VM')];
const nothing = { name: undefined, ram: false, description: undefined };
const back = { force: false, start: undefined };

/** Writes to a VM's disk, as far as anybody can tell who only looks at its length. */
async function write(lab: SampleLab, vm: VmRecord): Promise<void> {
  const path = activePath(lab.home.home.vm(parseName(vm.name, 'a VM')), rootDisk(vm).active);
  await lab.host.files.append(path, Buffer.alloc(65_536, 1));
}

const load = (lab: SampleLab, name = web): Promise<VmRecord> => loadVm(lab.host, lab.home.home, name);

describe('a snapshot of a VM that stands', () => {
  test('freezes what was written, and the VM stands on it', async () => {
    await using lab = await sampleLab();
    await write(lab, await createVm(lab.context(), newVm('web')));
    const [made] = await createSnapshots(lab.context(), [web], { ...nothing, description: 'clean' });
    const vm = await load(lab);
    expect(vm).toEqual(made?.vm);
    expect(vm).toMatchObject({ standsOn: 'snapshot-1', snapshots: [{ name: 'snapshot-1', description: 'clean', cpus: vm.cpus, memory: vm.memory }] });
    expect(vm.snapshots[0]?.disks[0]?.frozen).toEqual(rootDisk(vm).frozen);
    expect(rootDisk(vm).frozen).toHaveLength(1);
  });

  test('adds no file where nothing was written since the last one', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    await createSnapshots(lab.context(), [web], nothing);
    expect(await lab.host.files.list(lab.home.home.frozen)).toEqual([]);
    await write(lab, await load(lab));
    await createSnapshots(lab.context(), [web], nothing);
    await createSnapshots(lab.context(), [web], nothing);
    expect(await lab.host.files.list(lab.home.home.frozen)).toHaveLength(1);
    expect((await load(lab)).snapshots.map(({ parent }) => parent)).toEqual([undefined, 'snapshot-1', 'snapshot-2']);
  });

  test('keeps the UEFI variables, and brings them back', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    const { efiVariables } = guestFiles(lab.home.home.vm(web));
    await lab.host.files.write(efiVariables, 'as it was');
    await createSnapshots(lab.context(), [web], nothing);
    await lab.host.files.write(efiVariables, 'as it is');
    expect(await sweepFrozen(lab.context())).toBe(0);
    await restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-1' });
    expect(Buffer.from(await lab.host.files.read(efiVariables)).toString()).toBe('as it was');
  });

  test('has no memory to save', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    await expect(createSnapshots(lab.context(), [web], { ...nothing, ram: true })).rejects.toMatchObject({ code: 'vm-not-running' });
    expect((await load(lab)).snapshots).toEqual([]);
  });

  test('has a name of its own, in all of a group', async () => {
    await using lab = await sampleLab();
    for (const name of ['web', 'db']) await createVm(lab.context(), newVm(name));
    await createSnapshots(lab.context(), [db], nothing);
    const made = await createSnapshots(lab.context(), [web, db, web], nothing);
    expect(made.map(({ vm, snapshot }) => [vm.name, snapshot.name])).toEqual([
      ['db', 'snapshot-2'],
      ['web', 'snapshot-2'],
    ]);
    const again = createSnapshots(lab.context(), [web, db], { ...nothing, name: parseName('snapshot-1', 'a snapshot') });
    await expect(again).rejects.toMatchObject({ code: 'snapshot-exists', message: 'db has a snapshot snapshot-1 already' });
    expect((await load(lab)).snapshots).toHaveLength(1);
  });
});

describe('memory that cannot be saved', () => {
  const share = { tag: 'share0', kind: 'virtiofs', host: '/srv', guest: '/srv', readOnly: false } satisfies Share;

  test.each([
    ['shared folders', { shares: [share] }],
    ['a TPM', { tpm: true }],
  ] satisfies [string, Partial<VmRecord>][])(
    'of a VM with %s: the reason is told before anything is done; its processors can be stopped',
    async (what, more) => {
      await using lab = await sampleLab();
      const { home } = lab.home;
      const vm: VmRecord = { ...(await createVm(lab.context(), newVm('web'))), ...more };
      await saveVm(lab.host, home, vm);
      const before = await load(lab);
      await createVm(lab.context(), newVm('db'));
      const story: string[] = [];
      await using _qemu = await fakeDisks(home.vm(web), {}, { story });
      const refused = { code: 'ram-unsupported', message: expect.stringContaining(what), hint: expect.stringContaining('--pause') };
      await expect(createSnapshots(lab.context(), [db, web], { ...nothing, ram: true })).rejects.toMatchObject(refused);
      await expect(suspendLocked(lab.context(), before)).rejects.toMatchObject(refused);
      expect(story).toEqual([]);
      expect(await load(lab)).toEqual(before);
      expect((await load(lab, db)).snapshots).toEqual([]);
      await pauseLocked(lab.context(), before);
      expect(story).toEqual(['stop']);
    },
  );
});

describe('restoring', () => {
  test('puts an empty overlay on what was frozen; what was written since is gone', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await write(lab, await createVm(lab.context(), newVm('web')));
    await createSnapshots(lab.context(), [web], nothing);
    await write(lab, await load(lab));
    const before = await load(lab);
    await createSnapshots(lab.context(), [web], nothing);
    const vm = await restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-1' });
    expect(rootDisk(vm).frozen).toEqual(rootDisk(before).frozen);
    expect(vm.standsOn).toBe('snapshot-1');
    const path = activePath(home.vm(web), rootDisk(vm).active);
    expect((await readQcow2Header(lab.host.files, path)).backing?.name).toBe(diskChain(home, vm, rootDisk(vm)).at(-1));
    expect((await lab.host.files.list(home.vm(web))).filter((file) => file.endsWith('.qcow2'))).toEqual([`${rootDisk(vm).active}.qcow2`]);
    expect(lab.messages.at(-1)).toContain('gone');
    await createSnapshots(lab.context(), [web], { ...nothing, name: parseName('other', 'a snapshot') });
    expect((await load(lab)).snapshots.at(-1)).toMatchObject({ name: 'other', parent: 'snapshot-1' });
  });

  test('what is not there is said before anything goes', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await write(lab, await createVm(lab.context(), newVm('web')));
    await createSnapshots(lab.context(), [web], nothing);
    await expect(restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-2' })).rejects.toMatchObject({
      code: 'snapshot-unknown',
      hint: 'Did you mean snapshot-1?',
    });
    const before = await load(lab);
    await lab.host.files.remove(home.frozenDisk(rootDisk(before).frozen[0] ?? ''));
    await expect(restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-1' })).rejects.toMatchObject({ code: 'snapshot-file-gone' });
    expect(await load(lab)).toEqual(before);
  });

  test.each(['kill', 'torn', 'full'] satisfies Fault[])(
    '%s at any of its effects: the VM is as before or restored, and nothing stays behind',
    async (fault) => {
      for (let at = 1; ; at++) {
        await using lab = await sampleLab();
        const { home } = lab.home;
        await write(lab, await createVm(lab.context(), newVm('web')));
        await createSnapshots(lab.context(), [web], nothing);
        await write(lab, await load(lab));
        const before = await load(lab);
        const faulty = faultyHost(lab.host, at, fault);
        await restoreSnapshot(lab.context(faulty.host), web, { ...back, snapshot: 'snapshot-1' }).catch(() => undefined);
        if (faulty.log.length < at) break;
        if (!faulty.hit()) continue;
        const after = await load(lab);
        expect(rootDisk(after).frozen, faulty.log.at(at - 1)).toEqual(rootDisk(before).frozen);
        expect(await lab.host.files.status(activePath(home.vm(web), rootDisk(after).active)), faulty.log.at(at - 1)).toBeDefined();
        const again = await restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-1' });
        expect((await lab.host.files.list(home.vm(web))).filter((file) => file.endsWith('.qcow2'))).toEqual([`${rootDisk(again).active}.qcow2`]);
        expect(await lab.host.files.list(home.frozen)).toHaveLength(1);
      }
    },
    180_000,
  );
});

describe('deleting', () => {
  test('takes the name, and the files only when nothing stands on them', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await write(lab, await createVm(lab.context(), newVm('web')));
    for (const _ of [1, 2]) {
      await createSnapshots(lab.context(), [web], nothing);
      await write(lab, await load(lab));
    }
    expect(await deleteSnapshot(lab.context(), web, 'snapshot-1')).toBe(0);
    expect(await load(lab)).toMatchObject({ standsOn: 'snapshot-2', snapshots: [{ name: 'snapshot-2' }] });
    expect((await load(lab)).snapshots[0]?.parent).toBeUndefined();
    await restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-2' });
    expect(await lab.host.files.list(home.frozen)).toHaveLength(2);
    await deleteSnapshot(lab.context(), web, 'snapshot-2');
    expect((await load(lab)).standsOn).toBeUndefined();
    expect(await lab.host.files.list(home.frozen)).toHaveLength(2);
  });

  test('a branch that nothing stands on gives its room back', async () => {
    await using lab = await sampleLab();
    await write(lab, await createVm(lab.context(), newVm('web')));
    await createSnapshots(lab.context(), [web], nothing);
    await write(lab, await load(lab));
    await createSnapshots(lab.context(), [web], nothing);
    await restoreSnapshot(lab.context(), web, { ...back, snapshot: 'snapshot-1' });
    expect(await deleteSnapshot(lab.context(), web, 'snapshot-2')).toBeGreaterThan(0);
    expect(await lab.host.files.list(lab.home.home.frozen)).toHaveLength(1);
  });
});

describe('the tree', () => {
  const moment = (index: number) => new Date(index * 1000).toISOString();
  const forest = fc.array(fc.nat(), { maxLength: 12 }).map((parents) =>
    parents.map((parent, index) => ({
      name: `s${index}`,
      created: moment(index),
      ...(index === 0 || parent % 3 === 0 ? {} : { parent: `s${parent % index}` }),
      disks: [{ name: 'root', size: 1, frozen: [] }],
      cpus: 1,
      memory: 1,
    })),
  );

  test('has every snapshot once, each below the one that it stands on', () => {
    fc.assert(
      fc.property(forest, (snapshots) => {
        const rows = snapshotRows({ snapshots, standsOn: 's0' });
        expect(rows.map(({ snapshot }) => snapshot.name).toSorted()).toEqual(snapshots.map(({ name }) => name).toSorted());
        for (const [index, { snapshot, depth }] of rows.entries()) {
          if (snapshot.parent === undefined) expect(depth).toBe(0);
          else expect(rows.slice(0, index).findLast((row) => row.depth === depth - 1)?.snapshot.name).toBe(snapshot.parent);
        }
      }),
    );
  });

  test('stays whole when any of them goes', () => {
    fc.assert(
      fc.property(forest, fc.nat(), (snapshots, pick) => {
        fc.pre(snapshots.length > 0);
        const gone = snapshots[pick % snapshots.length]?.name ?? '';
        const rest = withoutSnapshot({ snapshots, standsOn: gone }, gone);
        const names = rest.snapshots.map(({ name }) => name);
        expect(names).not.toContain(gone);
        for (const { parent } of rest.snapshots) if (parent !== undefined) expect(names).toContain(parent);
        if (rest.standsOn !== undefined) expect(names).toContain(rest.standsOn);
        expect(names).not.toContain(freeSnapshotName([rest]));
      }),
    );
  });
});
