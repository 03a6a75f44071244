import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeScratch } from '../../base/scratch.ts';
import { builtInSettings } from '../../base/settings.ts';
import { parseName } from '../../base/types.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import type { Context } from '../../operations/operation.ts';
import { createVm } from '../../platforms/local/create.ts';
import { freezeDisks, sweepFrozen } from '../../platforms/local/frozen.ts';
import { lockVm } from '../../platforms/local/power.ts';
import { deleteVm } from '../../platforms/local/remove.ts';
import { activePath, loadVm, rootDisk, saveVm, type VmRecord } from '../../platforms/local/vms.ts';
import { takeDisk, type TakeOptions } from './take.ts';

const web = parseName('web', 'a VM');
const PLAIN: TakeOptions = { snapshot: undefined, stop: false, crashConsistent: false, timeout: 1 };

function contextOf(lab: SampleLab): Context {
  const never = (): never => {
    throw new Error('nobody is asked');
  };
  return {
    ...lab.context(),
    settings: builtInSettings(lab.home.home),
    verbose: false,
    consent: never,
    askHidden: never,
    standardInput: never,
    attach: never,
    write: never,
  };
}

/** A VM with a frozen file, and a snapshot on that. */
async function withSnapshot(lab: SampleLab): Promise<VmRecord> {
  const vm = await createVm(lab.context(), newVm('web'));
  return await freezeDisks(lab.context(), vm, (record) => ({
    ...record,
    snapshots: [
      {
        name: 'before-upgrade',
        created: '2026-01-02T03:04:05.000Z',
        disks: record.disks.map(({ name, size, frozen }) => ({ name, size, frozen })),
        cpus: record.cpus,
        memory: record.memory,
      },
    ],
  }));
}

describe('a VM that stands', () => {
  test('is read as it is, its chain does not grow, and nobody starts it meanwhile', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    const vm = await withSnapshot(lab);
    await using scratch = await makeScratch(lab.host, lab.home.home, 'test');
    const before = await loadVm(lab.host, lab.home.home, web);
    {
      await using disk = await takeDisk(context, web, scratch.path, PLAIN);
      const { frozen, active } = rootDisk(vm);
      expect(disk.chain).toEqual({
        below: lab.image.layers.map(({ digest }) => lab.home.home.blob(digest)),
        above: [...frozen.map((id) => lab.home.home.frozenDisk(id)), activePath(lab.home.home.vm(web), active)],
      });
      const impatient = { ...context, signal: AbortSignal.timeout(50) };
      await expect(lockVm(impatient, web, 'vm start web')).rejects.toThrow();
    }
    await using _free = await lockVm(context, web, 'vm start web');
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(before);
  });

  test('that is suspended is not taken without its memory, unless that is asked for', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    const vm = await createVm(lab.context(), newVm('web'));
    await saveVm(lab.host, lab.home.home, { ...vm, suspended: { file: 'abcd1234', key: 'k', bytes: 1 } });
    await using scratch = await makeScratch(lab.host, lab.home.home, 'test');
    await expect(takeDisk(context, web, scratch.path, PLAIN)).rejects.toMatchObject({ code: 'vm-suspended' });
    await using disk = await takeDisk(context, web, scratch.path, { ...PLAIN, crashConsistent: true });
    expect(disk.chain.above).toHaveLength(1);
  });
});

describe('a snapshot', () => {
  test('is taken without the VM, and stays although both are deleted', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    const vm = await withSnapshot(lab);
    await using scratch = await makeScratch(lab.host, lab.home.home, 'test');
    const disk = await takeDisk(context, web, scratch.path, { ...PLAIN, snapshot: 'before-upgrade' });
    expect(disk).toMatchObject({ size: rootDisk(vm).size, taken: new Date('2026-01-02T03:04:05.000Z') });
    expect(disk.chain.above).toEqual([join(scratch.path, 'frozen-0.qcow2')]);
    await deleteVm(context, web, { force: false });
    await sweepFrozen(context);
    expect(await lab.host.files.list(lab.home.home.frozen)).toEqual([]);
    expect(await lab.host.files.status(disk.chain.above[0] ?? '')).toBeDefined();
  });

  test('that is not there is told with those that are near', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    await withSnapshot(lab);
    await using scratch = await makeScratch(lab.host, lab.home.home, 'test');
    const taken = takeDisk(context, web, scratch.path, { ...PLAIN, snapshot: 'befor-upgrade' });
    await expect(taken).rejects.toMatchObject({ code: 'snapshot-unknown', hint: 'Did you mean before-upgrade?' });
  });
});

test('further disks are told, and not taken', async () => {
  await using lab = await sampleLab();
  const context = contextOf(lab);
  const vm = await createVm(lab.context(), newVm('web'));
  await saveVm(lab.host, lab.home.home, { ...vm, disks: [...vm.disks, { name: 'data', size: 2 ** 30, frozen: [], active: 'abcd1234' }] });
  await using scratch = await makeScratch(lab.host, lab.home.home, 'test');
  await using disk = await takeDisk(context, web, scratch.path, PLAIN);
  expect(disk.chain.above).toHaveLength(1);
  expect(lab.messages).toContain('Not part of the image: the disk data (1.0 GiB)');
});
