import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sweepScratch } from '../../base/scratch.ts';
import { parseName } from '../../base/types.ts';
import { faultyHost } from '../../../tests/support/faulty-host.ts';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { createVm } from './create.ts';
import { createVms, freeNames, refuseTaken } from './create-many.ts';
import { loadVms, vmNames } from './vms.ts';

const namesOf = (vms: readonly { readonly name: string }[]): string[] => vms.map(({ name }) => name);
const web = parseName('web', 'a VM');

describe('several VMs', () => {
  test('are numbered, in order, and differ in all that must differ', async () => {
    await using lab = await sampleLab();
    const vms = await createVms(lab.context(), newVm('web'), { count: 12, unique: false });
    expect(namesOf(vms)).toEqual(Array.from({ length: 12 }, (_, i) => `web-${i + 1}`));
    for (const key of ['id', 'mac'] as const) expect(new Set(vms.map((vm) => vm[key])).size).toBe(12);
    expect(new Set(vms.map(({ ssh }) => ssh.port)).size).toBe(12);
    expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
  });

  test('are refused where a name is taken, before anything is made; with unique it is passed over', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web-2'));
    await expect(createVms(lab.context(), newVm('web'), { count: 3, unique: false })).rejects.toMatchObject({
      code: 'vm-exists',
      message: 'There is a VM named web-2 already',
      hint: expect.stringContaining('--unique'),
    });
    expect(await vmNames(lab.host, lab.home.home)).toEqual(['web-2']);
    await expect(refuseTaken(lab.context(), web, { count: 3, unique: false })).rejects.toMatchObject({ code: 'vm-exists' });
    expect(namesOf(await createVms(lab.context(), newVm('web'), { count: 3, unique: true }))).toEqual(['web-1', 'web-3', 'web-4']);
  });

  test('are all there or none, where one cannot be made', async () => {
    await using lab = await sampleLab();
    let seeds = 0;
    const write: typeof lab.host.files.write = async (path, ...rest) => {
      if (path.endsWith('/seed.img') && ++seeds === 7) throw new Error('the disk is full');
      await lab.host.files.write(path, ...rest);
    };
    const host = { ...lab.host, files: { ...lab.host.files, write } };
    await expect(createVms(lab.context(host), newVm('web'), { count: 12, unique: false })).rejects.toThrow('the disk is full');
    expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
    expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
  });

  test('are refused together where the memory is short for all of them', async () => {
    await using lab = await sampleLab();
    const host = { ...lab.host, machine: { ...lab.host.machine, memory: 2 ** 32, freeMemory: () => 2 ** 31 } };
    await expect(createVms(lab.context(host), newVm('web', { start: true }), { count: 3, unique: false })).rejects.toMatchObject({
      code: 'memory-short',
      message: expect.stringMatching(/^web-1 to web-3 needs? 3\.0 GiB/),
    });
    expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
  });

  test('killed at any effect, each is there whole or not at all', { timeout: 60_000 }, async () => {
    for (let at = 1; ; at += 7) {
      await using lab = await sampleLab();
      const faulty = faultyHost(lab.host, at, 'kill');
      await createVms(lab.context(faulty.host), newVm('web'), { count: 2, unique: false }).catch(() => undefined);
      if (!faulty.hit()) break;
      await sweepScratch(lab.host, lab.home.home);
      expect(await lab.host.files.list(lab.home.home.run), faulty.log.at(at - 1)).toEqual([]);
      const there = namesOf(await loadVms(lab.host, lab.home.home));
      expect(await vmNames(lab.host, lab.home.home)).toEqual(there);
      expect(await createVms(lab.context(), newVm('web'), { count: 2, unique: true })).toHaveLength(2);
    }
  });
});

describe('unique', () => {
  test('is the name itself where it is free, else the next free one', async () => {
    await using lab = await sampleLab();
    const once = async (): Promise<string[]> => namesOf(await createVms(lab.context(), newVm('web'), { count: undefined, unique: true }));
    expect(await once()).toEqual(['web']);
    await createVm(lab.context(), newVm('web-2'));
    expect(await once()).toEqual(['web-3']);
  });

  test('at once gives each another name, also while others name theirs themselves', async () => {
    await using lab = await sampleLab();
    const unique = Array.from({ length: 5 }, () => createVms(lab.context(), newVm('web'), { count: undefined, unique: true }));
    const plain = ['web', 'web-3'].map(async (name) => [await createVm(lab.context(), newVm(name)).catch(() => undefined)].filter((vm) => vm !== undefined));
    const made = namesOf((await Promise.all([...unique, ...plain])).flat());
    expect(made.length).toBeGreaterThanOrEqual(5);
    expect(new Set(made).size).toBe(made.length);
    expect(await vmNames(lab.host, lab.home.home)).toEqual(made.toSorted());
  });

  test('names are free, distinct and start with what was asked for', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.integer({ min: 0, max: 12 })), (numbered, numbers) => {
        const taken = new Set(numbers.map((number) => (number === 0 ? 'web' : `web-${number}`)));
        const next = freeNames(web, numbered, taken);
        const names = Array.from({ length: 8 }, next);
        expect(new Set(names).size).toBe(8);
        for (const name of names) expect(taken.has(name)).toBe(false);
        expect(names[0] === 'web').toBe(!numbered && !taken.has('web'));
      }),
    );
  });
});
