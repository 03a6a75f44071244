import { describe, expect, test } from 'vitest';
import { sampleLab } from '../../../tests/support/lab.ts';
import { runningVm } from '../../../tests/support/running-vm.ts';
import { IngotError } from '../../base/errors.ts';
import { readCloudInit } from './cloud-init-state.ts';
import { listens, waitForGoal } from './wait.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0F02000A:0016 0202000A:0050 01 00000000:00000000 02:0009C3C5 00000000     0        0 2 2 0 20 4 29 10 -1
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3`;

test('a port is open where something listens on it, whatever the address', () => {
  expect([22, 8080, 80, 31_888].map((port) => listens(TCP, port))).toEqual([true, true, false, false]);
  expect(listens('', 22)).toBe(false);
});

describe('cloud-init', () => {
  const says = (word: string, status: object, result: object | string = ''): string =>
    `${word}\n--- status\n${JSON.stringify({ v1: status })}\n--- result\n${typeof result === 'string' ? result : JSON.stringify({ v1: result })}`;
  const stage = (errors: string[], recoverable?: Record<string, string[]>) => ({
    ...{ start: 1.5, finished: null, errors },
    ...(recoverable === undefined ? {} : { recoverable_errors: recoverable }),
  });
  test.each([
    ['running\n--- status\n\n--- result\n', 'running', 'it is between two stages', []],
    [says('running', { datasource: null, stage: 'modules-final', init: stage([]) }), 'running', 'it is in its stage modules-final', []],
    ['missing\n--- status\n\n--- result\n', 'missing', 'it is not installed', []],
    ['disabled\n--- status\n\n--- result\n', 'failed', 'it is disabled', []],
    [says('done', { stage: null, init: stage([]) }, { datasource: 'NoCloud', errors: [] }), 'done', 'it is done', []],
    [says('done', { stage: null, init: stage(['a']) }, { errors: ['a', "('runcmd', Error())"] }), 'failed', 'it had errors', ['a', "('runcmd', Error())"]],
    [says('done', { stage: null, init: stage([], { DEPRECATED: ['old key'] }) }, { errors: [] }), 'done', 'it is done', []],
    [says('done', { stage: null, init: stage([], { WARNING: ['no such user'] }) }, { errors: [] }), 'failed', 'it had errors', ['no such user']],
    [says('crashed', { stage: null, init: stage(['Traceback']) }), 'failed', 'its last stage ended without a result', ['Traceback']],
    [says('done', {}, '{"v1": {"err'), 'done', 'it is done', []],
  ])('%j is %s: %s', (output, status, text, errors) => {
    expect(readCloudInit(output)).toEqual({ status, text, errors });
  });
});

describe('waiting', () => {
  test('goes on until the goal is reached, and says what it found meanwhile', async () => {
    await using lab = await sampleLab();
    let asked = 0;
    await using vm = await runningVm(lab, 'web', {
      run: () => {
        asked += 1;
        return { stdout: asked < 4 ? TCP.replaceAll(':0016', ':0017') : TCP };
      },
    });
    expect(await waitForGoal(vm.context, vm.name, { kind: 'port', port: 22 })).toBe(3);
    expect(asked).toBe(4);
  });

  test('in vain, names the goal and shows the console', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { run: () => ({ exitCode: 3, stderr: 'one\nnot yet\n' }) });
    await vm.host.files.write(vm.files.console, 'starting\r\nstuck\r\n');
    await expect(waitForGoal(vm.context, vm.name, { kind: 'command', argv: ['test', '-e', '/a b'] }, 5)).rejects.toMatchObject({
      code: 'wait-timeout',
      class: 'timeout',
      message: "Waited 5.0 s in vain for `test -e '/a b'` to succeed on web: it ended with exit code 3: not yet",
      detail: 'The end of the console:\nstarting\nstuck',
    });
  });

  test('a guest that does not answer is asked again', async () => {
    await using lab = await sampleLab();
    let asked = 0;
    await using vm = await runningVm(lab, 'web', {
      run: () => {
        asked += 1;
        if (asked === 1) throw new IngotError('timeout', 'command-timeout', 'ssh did not end within 600 s');
        return {};
      },
    });
    expect(await waitForGoal(vm.context, vm.name, { kind: 'command', argv: ['true'] })).toBe(1);
  });

  test('ends with the guest', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', {
      run: async () => {
        await vm.end();
        return { exitCode: 255, stderr: 'Connection closed' };
      },
    });
    await vm.host.files.write(vm.files.console, 'Kernel panic\n');
    await expect(waitForGoal(vm.context, vm.name, { kind: 'port', port: 80 })).rejects.toMatchObject({
      code: 'qemu-ended',
      message: 'web ended while port 80 of web was waited for',
      detail: expect.stringContaining('Kernel panic'),
    });
  });

  test.each([
    ['missing\n', 'cloud-init-missing', undefined],
    ['done\n--- status\n\n--- result\n{"v1": {"errors": ["bad yaml"]}}', 'cloud-init-failed', 'bad yaml'],
  ])('a cloud-init that will not be done (%j) is told at once', async (stdout, code, detail) => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { run: () => ({ stdout }) });
    await expect(waitForGoal(vm.context, vm.name, { kind: 'cloud-init' })).rejects.toMatchObject({ code, detail });
  });

  test('a VM that does not run is told at once', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web');
    await vm.end();
    await expect(waitForGoal(vm.context, vm.name, { kind: 'ssh' })).rejects.toMatchObject({ code: 'vm-not-running' });
  });
});
