import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostPath } from '../../../src/base/types.ts';
import { qemuBoot } from '../../simulators/proxmox/boot.ts';
import { SimCluster } from '../../simulators/proxmox/cluster.ts';
import { Simulator } from '../../simulators/proxmox/server.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * From an image to VMs on Proxmox VE, as a user does it, with the simulator in the place of the server: it boots what it was sent, on the hardware that it was
 * asked for. INGOT_TEST_HOME is a home that is kept, with its image.
 */

const reason = whyNot() ?? (process.getuid?.() === 0 ? undefined : 'guests need an address of the loopback interface, which only root gives');

describe.skipIf(reason !== undefined)(`publishing to Proxmox VE${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const stack = new AsyncDisposableStack();
  const cluster = new SimCluster(['pve']);
  let home: TestHome;
  let simulator: Simulator;

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? stack.use(await TestHome.make()) : TestHome.kept(hostPath(kept));
    await home.json(['build', 'debian-12', '--yes', ...(kept === undefined ? [] : ['--offline'])]);
    // Of an earlier simulator.
    await rm(join(home.root, 'publications'), { recursive: true, force: true });
    simulator = stack.use(await Simulator.start({ cluster }));
    const machines = stack.use(await TestHome.make());
    cluster.boot = qemuBoot(machines.root, home.root);
    stack.defer(async () => {
      for (const vm of cluster.vms.values()) await vm.guest?.stop();
    });
    const secret = { INGOT_SECRET_TARGET_PROXMOX_SIM: simulator.secret };
    const { url, tokenId, tls } = simulator;
    await home.json(['target', 'add', 'proxmox', 'sim', '--url', url, '--token-id', tokenId, '--fingerprint', tls.fingerprint, '--replace'], secret);
  });

  afterAll(() => stack.disposeAsync());

  test('an image is proven there on a clone that boots, and becomes the current template', async () => {
    const published = await home.json(['publish', 'debian-12', '--to', 'proxmox:sim', '--memory', '1GiB']);
    expect(published).toMatchObject({ outcome: 'published', state: 'current' });
    const checks = (published as { places: { checks: { name: string; result: string }[] }[] }).places[0]?.checks ?? [];
    expect(checks.map(({ name, result }) => [name, result])).toEqual([
      ['start', 'passed'],
      ['guest agent', 'passed'],
      ['address', 'passed'],
      ['login', 'passed'],
      ['cloud-init', 'passed'],
    ]);
    expect([...cluster.vms.values()].map(({ config, running }) => [config['template'], running])).toEqual([['1', false]]);
    expect(await home.json(['publish', 'debian-12', '--to', 'proxmox:sim', '--memory', '1GiB'])).toMatchObject({ outcome: 'unchanged' });
  });

  test('a clone of it boots with its own name and size, lets one in, is stopped and deleted', async () => {
    const on = ['--on', 'proxmox:sim'];
    const made = await home.json(['vm', 'create', 'web', '--image', 'debian-12', ...on, '--memory', '1GiB', '--disk', '6GiB']);
    expect(made).toMatchObject({ name: 'web', state: 'running', ours: true });
    const { exitCode, stdout, stderr } = await home.ingot([
      'vm',
      'exec',
      'web',
      ...on,
      '--timeout',
      '600',
      '--',
      'sh',
      '-c',
      'hostname; df --output=size -B1 / | tail -n 1',
    ]);
    expect(exitCode, stderr).toBe(0);
    const [hostname, size] = stdout.trim().split('\n');
    expect(hostname).toBe('web');
    expect(Number(size)).toBeGreaterThan(5 * 2 ** 30);
    expect(await home.json(['vm', 'stop', 'web', '--force', ...on])).toMatchObject({ result: 'forced' });
    await home.json(['vm', 'delete', 'web', ...on]);
    expect(await home.json(['vm', 'list', ...on])).toEqual([]);
    expect(simulator.wrong).toEqual([]);
  });
});
