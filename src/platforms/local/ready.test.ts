import { expect, test } from 'vitest';
import { takeLock } from '../../base/lock.ts';
import { sampleLab } from '../../../tests/support/lab.ts';
import { runningVm } from '../../../tests/support/running-vm.ts';
import { readyForSsh } from './ready.ts';

const monitor =
  (status: string) =>
  (command: string): unknown =>
    command === 'query-status' ? { status } : {};

test.each([
  ['paused', 'web is paused', 'Let it go on with `ingot vm resume web`.'],
  ['io-error', "web is paused, since the host's disk is full", 'Free some space, then let it go on with `ingot vm resume web`.'],
])('a machine that is %s is not waited for', async (status, message, hint) => {
  await using lab = await sampleLab();
  await using vm = await runningVm(lab, 'web', { monitor: monitor(status) });
  await expect(readyForSsh(vm.context, vm.name)).rejects.toMatchObject({ code: 'vm-paused', message, hint });
});

test('one that another command holds still is waited for', async () => {
  await using lab = await sampleLab();
  await using vm = await runningVm(lab, 'web', { monitor: monitor('paused') });
  await using _held = await takeLock(lab.host, lab.home.home, 'vm-web', { what: 'vm snapshot create web', signal: new AbortController().signal });
  await expect(readyForSsh(vm.context, vm.name, 1)).resolves.toBeDefined();
});
