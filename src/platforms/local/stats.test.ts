import { describe, expect, test } from 'vitest';
import { fakeAgent } from '../../../tests/support/fake-agent.ts';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { runningVm } from '../../../tests/support/running-vm.ts';
import { usedOf } from './agent-stats.ts';
import { createVm } from './create.ts';
import { fromProc, fromPs } from './process-usage.ts';
import { measureOnce, StatsMeter } from './stats.ts';
import { loadVms, type VmRecord } from './vms.ts';

const MEMINFO = 'MemTotal:         750000 kB\nMemFree:          100000 kB\nMemAvailable:     500000 kB\n';

describe('the host tells of a process', () => {
  test('its time and memory, whatever it calls itself', () => {
    const stat = '7 (a) b 9 (c)) S 1 7 7 0 -1 4194560 100 0 0 0 1234 66 0 0 20 0 5 0 999 1 2';
    expect(fromProc(stat, 'Name:\ta\nVmRSS:\t    2048 kB\nThreads:\t5\n')).toEqual({ cpuSeconds: 13, memory: 2 ** 21 });
  });

  test('also where there is no /proc', () => {
    expect(fromPs('   1:02.50  2048\n')).toEqual({ cpuSeconds: 62.5, memory: 2 ** 21 });
    expect(fromPs('1:00:01 1\n')).toEqual({ cpuSeconds: 3601, memory: 1024 });
    expect(fromPs('\n')).toBeUndefined();
  });
});

test('memory in use is what programs could not have at once', () => {
  expect(usedOf(MEMINFO)).toBe(250_000 * 1024);
  expect(usedOf('MemTotal: 1 kB\n')).toBeUndefined();
});

/** What QEMU's monitor says of a guest whose agent's port is open, or not. */
function monitor(agentOpen: boolean) {
  return (command: string): unknown => {
    if (command === 'query-status') return { status: 'running' };
    if (command === 'query-blockstats') return [{ stats: { rd_bytes: 100, wr_bytes: 10 } }, { stats: { rd_bytes: 5, wr_bytes: 0 } }];
    if (command === 'query-chardev') return [{ label: 'agent', 'frontend-open': agentOpen, filename: 'x' }];
    return {};
  };
}

describe('a measurement', () => {
  test('has all that processor, monitor and agent tell', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { monitor: monitor(true) });
    const asked: string[] = [];
    await using _agent = await fakeAgent(vm.files.agent, (command) => {
      asked.push(command);
      if (command === 'guest-file-open') return { return: 1000 };
      if (command === 'guest-file-read') return { return: { count: 1, 'buf-b64': Buffer.from(MEMINFO).toString('base64'), eof: false } };
      if (command === 'guest-file-close') return { return: {} };
      const statistics = { 'rx-bytes': 7, 'tx-bytes': 3, 'rx-packets': 1 };
      return { return: [{ name: 'lo', statistics: { ...statistics, 'rx-bytes': 999 } }, { name: 'ens3', statistics }, { name: 'docker0' }] };
    });
    // Half a second passes, in which the process used half a second.
    expect(await measureOnce(vm.context, await loadVms(vm.host, lab.home.home))).toEqual([
      {
        name: 'web',
        state: 'running',
        cpus: 2,
        cpu: 100,
        memory: { size: 2 ** 30, host: 2 ** 21, used: 250_000 * 1024 },
        disk: { read: 105, written: 10 },
        network: { received: 7, sent: 3 },
      },
    ]);
    expect(asked.at(-1)).toBe('guest-file-close');
  });

  test('asks no agent where the guest has opened no port for one', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { monitor: monitor(false) });
    const [stats] = await measureOnce(vm.context, await loadVms(vm.host, lab.home.home));
    expect(stats).toMatchObject({ state: 'running', disk: { read: 105 } });
    expect(stats).not.toHaveProperty('network');
  });

  test('leaves out what an agent refuses', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { monitor: monitor(true) });
    await using _agent = await fakeAgent(vm.files.agent, (command) =>
      command === 'guest-network-get-interfaces' ? { return: [{ name: 'e', statistics: { 'rx-bytes': 1, 'tx-bytes': 2 } }] } : { error: { desc: 'disabled' } },
    );
    const [stats] = await measureOnce(vm.context, await loadVms(vm.host, lab.home.home));
    expect(stats).toMatchObject({ network: { received: 1, sent: 2 }, memory: { host: 2 ** 21 } });
    expect(stats?.memory).not.toHaveProperty('used');
  });

  test('of a VM that stands still says so, and waits for nothing', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    const host = { ...lab.host, clock: { ...lab.host.clock, sleep: () => Promise.reject(new Error('nothing is to be waited for')) } };
    const stats = await measureOnce(lab.context(host), await loadVms(lab.host, lab.home.home));
    expect(stats).toEqual([{ name: 'web', state: 'stopped', cpus: 2, memory: { size: 2 ** 30 } }]);
  });

  test('says how a VM is in the words of vm list', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { monitor: (command) => (command === 'query-status' ? { status: 'io-error' } : []) });
    const suspended: VmRecord = { ...(await createVm(lab.context(), newVm('old'))), suspended: { file: 'ram', key: '', bytes: 1 } };
    const [web] = await loadVms(vm.host, lab.home.home).then((vms) => vms.filter(({ name }) => name === 'web'));
    expect((await measureOnce(vm.context, [...(web === undefined ? [] : [web]), suspended])).map(({ state }) => state)).toEqual(['disk-full', 'suspended']);
  });

  test('has no rate before there are two of the same process', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', { monitor: monitor(false) });
    const vms = await loadVms(vm.host, lab.home.home);
    const meter = new StatsMeter(vm.context);
    expect((await meter.measure(vms))[0]).not.toHaveProperty('cpu');
    await vm.host.clock.sleep(1);
    expect((await meter.measure(vms))[0]).toMatchObject({ cpu: 100 });
    await vm.end();
    expect((await meter.measure(vms))[0]).toMatchObject({ state: 'stopped' });
  });
});
