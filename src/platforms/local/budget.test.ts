import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { builtInSettings } from '../../base/settings.ts';
import { homeAt } from '../../base/home.ts';
import { hostPath } from '../../base/types.ts';
import { budgetOf, overBudget, type Need } from './budget.ts';
import { createVm } from './create.ts';
import { loadVms } from './vms.ts';

const GIB = 2 ** 30;
const vm = (name: string, cpus: number, memory: number, disk = 10 * GIB): Need => ({ name, cpus, memory, disks: [{ size: disk }] });
const running = { running: true, isNew: false };

test('what does not fit is told with the sums', () => {
  const others = [vm('a', 1, 2 * GIB), vm('b', 1, 2 * GIB), vm('c', 1, 2 * GIB)];
  const budget = { cpus: 8, memory: 8 * GIB, disk: undefined };
  expect(overBudget(budget, vm('web', 1, 4 * GIB), { running: others, all: others }, running)).toEqual([
    '3 running VMs have 6.0 GiB of memory, web needs 4.0 GiB of memory, the budget is 8.0 GiB of memory',
  ]);
  expect(overBudget(budget, vm('web', 9, GIB), { running: [], all: [] }, running)).toEqual(['web needs 9 processors, the budget is 8 processors']);
  expect(overBudget({ ...budget, disk: 32 * GIB }, vm('web', 1, GIB), { running: [], all: others }, { running: false, isNew: true })).toEqual([
    '3 VMs have 30 GiB of disks, web needs 10 GiB of disks, the budget is 32 GiB of disks',
  ]);
});

test('a VM that is refused fits where there is nothing else, or asks for more than there is', () => {
  const need = fc.record({ name: fc.constant('web'), cpus: fc.integer({ min: 1, max: 64 }), memory: fc.integer({ min: 1, max: 64 }), disks: fc.constant([]) });
  fc.assert(
    fc.property(need, fc.array(need, { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), (mine, others, limit) => {
      const budget = { cpus: limit, memory: limit, disk: undefined };
      const wrong = overBudget(budget, mine, { running: others, all: others }, running);
      const sum = (key: 'cpus' | 'memory'): number => others.reduce((total, one) => total + one[key], mine[key]);
      expect(wrong.length).toBe(Number(sum('cpus') > limit) + Number(sum('memory') > limit));
    }),
  );
});

test('the settings multiply what the host has', () => {
  const settings = builtInSettings(homeAt(hostPath('/home')));
  const machine = { cpus: 2, memory: 8 * GIB };
  expect(budgetOf(settings, machine, GIB)).toEqual({ cpus: 8, memory: 8 * GIB, disk: undefined });
  expect(budgetOf({ ...settings, 'memory-overcommit': 1.5, 'disk-overcommit': 10 }, machine, GIB)).toEqual({ cpus: 8, memory: 12 * GIB, disk: 10 * GIB });
});

test('a VM beyond the budget is not made, unless by force', async () => {
  await using lab = await sampleLab();
  const context = { ...lab.context(), settings: { ...lab.context().settings, 'disk-overcommit': 0.1 } };
  const large = newVm('web', { disk: 2 ** 45 });
  await expect(createVm(context, large)).rejects.toMatchObject({ code: 'budget-exceeded', hint: expect.stringContaining('--force') });
  expect(await loadVms(lab.host, lab.home.home)).toEqual([]);
  await createVm(context, { ...large, force: true });
});
