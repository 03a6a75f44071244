import { describe, expect, test } from 'vitest';
import { faultyHost, type Fault } from '../../support/faulty-host.ts';
import { machineLab, noMachines, type MachineLab } from '../../support/machine-lab.ts';
import { parseName, type Name } from '../../../src/base/types.ts';
import { cloneVm } from '../../../src/platforms/local/clone.ts';
import { vmState } from '../../../src/platforms/local/machine-state.ts';
import { holdVm, resumeLocked, startLocked, stopLocked } from '../../../src/platforms/local/power.ts';
import { renameVm } from '../../../src/platforms/local/rename.ts';
import { resizeLocked } from '../../../src/platforms/local/resize.ts';
import { restoreSnapshot } from '../../../src/platforms/local/snapshot-restore.ts';
import { createSnapshots } from '../../../src/platforms/local/snapshots.ts';
import { pauseLocked, suspendLocked } from '../../../src/platforms/local/suspend.ts';
import type { LabContext } from '../../../src/platforms/local/view.ts';
import { rootDisk, saveVm, type VmRecord } from '../../../src/platforms/local/vms.ts';

const [web, db] = [parseName('web', 'a VM'), parseName('db', 'a VM')];
const plain = { name: undefined, ram: false, description: undefined };
const why = noMachines();
const MINUTES = 300_000;

/** Holds a VM while something is done with it, as an operation does. */
async function held<T>(context: LabContext, name: Name, work: (vm: VmRecord) => Promise<T>): Promise<T> {
  await using hold = await holdVm(context, name, 'a test');
  return await work(hold.vm);
}

const stateOf = async (at: MachineLab, name = web): Promise<string> => (await vmState(at.context, await at.load(name), 5)).state;
const suspend = (context: LabContext): Promise<VmRecord> => held(context, web, (vm) => suspendLocked(context, vm));
const resume = (context: LabContext) => held(context, web, (vm) => resumeLocked(context, vm, { force: true }));

/** The machine writes where its record says, and nothing is half done. */
async function expectSettled(at: MachineLab, about: string | undefined): Promise<void> {
  await held(at.context, web, async () => undefined);
  const vm = await at.load(web);
  expect(vm.unsettled, about).toBeUndefined();
  expect(vm.still, about).toBeUndefined();
  expect(vm.suspended, about).toBeUndefined();
  expect(await at.look(web), about).toMatchObject({ node: `root-${rootDisk(vm).active}`, status: 'running' });
}

describe.skipIf(why !== undefined)(`a real machine${why === undefined ? '' : ` (not run: ${why})`}`, () => {
  test(
    'is paused and goes on; is suspended, takes no process, and goes on',
    async () => {
      await using at = await machineLab();
      await at.start('web');
      await at.write(web, 1);
      await held(at.context, web, (vm) => pauseLocked(at.context, vm));
      expect(await stateOf(at)).toBe('paused');
      expect(await resume(at.context)).toBe('paused');
      expect(await stateOf(at)).toBe('running');
      const suspended = await suspend(at.context);
      expect(await stateOf(at)).toBe('suspended');
      expect(suspended.suspended?.bytes).toBeGreaterThan(0);
      expect(await resume(at.context)).toBe('suspended');
      expect(await stateOf(at)).toBe('running');
      expect(await at.holds(web, 1)).toBe(true);
      expect(await at.lab.host.files.list(at.lab.home.home.frozen)).toEqual([]);
      expect(await resume(at.context)).toBe('running');
    },
    MINUTES,
  );

  test(
    'whose memory fits no more says why, and boots anew with its disks',
    async () => {
      await using at = await machineLab();
      await at.start('web');
      await at.write(web, 1);
      const vm = await suspend(at.context);
      await saveVm(at.host, at.lab.home.home, { ...vm, cpus: 2 });
      await expect(resume(at.context)).rejects.toMatchObject({ code: 'ram-state-refused', hint: expect.stringContaining('--discard') });
      expect(await stateOf(at)).toBe('suspended');
      await held(at.context, web, (record) => startLocked(at.context, record, { force: true, discard: true }));
      expect(await at.holds(web, 1)).toBe(true);
      expect((await at.load(web)).suspended).toBeUndefined();
    },
    MINUTES,
  );

  test(
    'goes back to a snapshot: disk alone, or with its memory',
    async () => {
      await using at = await machineLab();
      await at.start('web');
      await at.write(web, 1);
      await createSnapshots(at.context, [web], plain);
      await at.write(web, 2);
      await createSnapshots(at.context, [web], { ...plain, ram: true });
      await expectSettled(at, undefined);
      await at.write(web, 3);
      const back = { force: true, start: undefined };
      await expect(restoreSnapshot(at.context, web, { ...back, force: false, snapshot: 'snapshot-2' })).rejects.toMatchObject({ code: 'vm-running' });
      expect(await at.holds(web, 3)).toBe(true);
      await restoreSnapshot(at.context, web, { ...back, snapshot: 'snapshot-2' });
      await expectSettled(at, undefined);
      expect(await at.holds(web, 2)).toBe(true);
      await restoreSnapshot(at.context, web, { ...back, snapshot: 'snapshot-1' });
      expect(await stateOf(at)).toBe('stopped');
      await restoreSnapshot(at.context, web, { ...back, snapshot: 'snapshot-1', start: true });
      expect(await at.holds(web, 1)).toBe(true);
    },
    MINUTES,
  );

  test(
    'has a snapshot at the same moment as another',
    async () => {
      await using at = await machineLab();
      for (const name of ['web', 'db']) await at.start(name);
      const made = await createSnapshots(at.context, [web, db], { ...plain, ram: true });
      expect(made.map(({ snapshot }) => snapshot.ram === undefined)).toEqual([false, false]);
      for (const name of [web, db]) expect(await stateOf(at, name)).toBe('running');
    },
    MINUTES,
  );

  test(
    'is cloned while it runs, linked and full; each goes its own way',
    async () => {
      await using at = await machineLab();
      const source = await at.start('web');
      await at.write(web, 1);
      await createSnapshots(at.context, [web], plain);
      const clone = { source: web, start: true, force: true };
      const linked = await cloneVm(at.context, { ...clone, target: parseName('linked', 'a VM'), full: false });
      await at.write(web, 2);
      const full = await cloneVm(at.context, { ...clone, target: parseName('full', 'a VM'), full: true });
      await at.write(web, 3);
      expect(await at.holds(parseName('linked', 'a VM'), 1)).toBe(true);
      expect(await at.holds(parseName('full', 'a VM'), 2)).toBe(true);
      expect(await at.holds(web, 3)).toBe(true);
      expect(rootDisk(full).frozen).toEqual([]);
      expect(rootDisk(linked).frozen.length).toBeGreaterThan(0);
      for (const key of ['id', 'mac'] as const) expect(new Set([source, linked, full].map((vm) => vm[key])).size).toBe(3);
      expect(new Set([source, linked, full].map(({ ssh }) => ssh.port)).size).toBe(3);
      expect(full.snapshots).toEqual([]);
    },
    MINUTES,
  );

  test(
    'lets its disk grow, but neither its memory nor its name change',
    async () => {
      await using at = await machineLab();
      const before = await at.start('web', { disk: 2 ** 30 });
      await createSnapshots(at.context, [web], plain);
      const grow = (more: object) =>
        held(at.context, web, (vm) => resizeLocked(at.context, vm, { cpus: undefined, memory: undefined, disk: undefined, ...more }));
      expect(await grow({ disk: 2 ** 31 })).toMatchObject({ growth: 'at-boot' });
      expect(await at.look(web)).toMatchObject({ size: 2 ** 31 });
      await expect(grow({ disk: 2 ** 30 })).rejects.toMatchObject({ code: 'disk-shrinks' });
      await expect(grow({ memory: 2 ** 30 })).rejects.toMatchObject({ code: 'vm-running' });
      await expect(renameVm(at.context, web, db)).rejects.toMatchObject({ code: 'vm-running' });
      await held(at.context, web, (vm) => stopLocked(at.context, vm, { timeout: 1, force: true }));
      await grow({ disk: 2 ** 32, cpus: 2 });
      await renameVm(at.context, web, db);
      await held(at.context, db, (vm) => startLocked(at.context, vm, { force: true }));
      expect(await at.look(db)).toMatchObject({ size: 2 ** 32 });
      expect(await at.load(db)).toMatchObject({ name: 'db', cpus: 2, id: before.id, mac: before.mac });
    },
    MINUTES,
  );
});

describe.skipIf(why !== undefined)(`kill -9 at any effect${why === undefined ? '' : ` (not run: ${why})`}`, () => {
  /** Kills at every effect of `work` on one running machine; `check` looks and brings it back to running. */
  async function everywhere(
    fault: Fault,
    work: (context: LabContext) => Promise<unknown>,
    check: (at: MachineLab, about: string) => Promise<void>,
  ): Promise<void> {
    await using at = await machineLab();
    await at.start('web');
    for (let effect = 1; ; effect++) {
      const faulty = faultyHost(at.host, effect, fault);
      await work(at.lab.context(faulty.host)).catch(() => undefined);
      if (faulty.log.length < effect) break;
      if (faulty.hit()) await check(at, faulty.log[effect - 1] ?? '');
    }
  }

  test.each(['kill', 'torn'] satisfies Fault[])(
    '%s of a snapshot with memory: the machine goes on, and the snapshot is whole or not there',
    async (fault) => {
      let count = 0;
      await everywhere(
        fault,
        (context) => createSnapshots(context, [web], { ...plain, ram: true }),
        async (at, about) => {
          await expectSettled(at, about);
          const { snapshots } = await at.load(web);
          for (const { ram } of snapshots) expect(await at.host.files.status(at.lab.home.home.frozenRam(ram?.file ?? '')), about).toBeDefined();
          expect(snapshots.length - count, about).toBeLessThanOrEqual(1);
          count = snapshots.length;
        },
      );
    },
    MINUTES * 2,
  );

  test.each(['kill', 'torn'] satisfies Fault[])(
    '%s of suspending and resuming: the machine or its memory counts, never both',
    async (fault) => {
      await everywhere(
        fault,
        async (context) => {
          await suspend(context);
          await resume(context);
        },
        async (at, about) => {
          await held(at.context, web, async () => undefined);
          const { state } = await vmState(at.context, await at.load(web), 5);
          expect(['running', 'suspended'], about).toContain(state);
          await resume(at.context);
          await expectSettled(at, about);
        },
      );
    },
    MINUTES * 2,
  );
});
