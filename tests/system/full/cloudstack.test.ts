import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostPath } from '../../../src/base/types.ts';
import { qemuBoot } from '../../simulators/cloudstack/boot.ts';
import { SimCloud } from '../../simulators/cloudstack/cloud.ts';
import { startRouter, type VirtualRouter } from '../../simulators/cloudstack/router.ts';
import { CloudSimulator } from '../../simulators/cloudstack/server.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * From an image to instances on CloudStack, as a user does it, with the simulator in the place of the management server: it fetches the image from ingot's own
 * server, and boots what came, told by a virtual router or a ConfigDrive. INGOT_TEST_HOME is a home that is kept, with its image.
 */

const reason = whyNot() ?? (process.getuid?.() === 0 ? undefined : 'guests need an address of the loopback interface, which only root gives');

describe.skipIf(reason !== undefined)(`publishing to CloudStack${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const stack = new AsyncDisposableStack();
  const cloud = new SimCloud(['z1']);
  const on = ['--on', 'cloudstack:sim'];
  let home: TestHome;
  let simulator: CloudSimulator;
  let router: VirtualRouter;
  let machines: TestHome;

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? stack.use(await TestHome.make()) : TestHome.kept(hostPath(kept));
    for (const image of ['debian-12', 'debian-12-cloudstack'])
      await home.json(['build', image, '--yes', '--gate', 'none', ...(kept === undefined ? [] : ['--offline'])]);
    // Of an earlier simulator.
    await rm(join(home.root, 'publications'), { recursive: true, force: true });
    router = stack.use(await startRouter());
    simulator = stack.use(await CloudSimulator.start({ cloud, checkContent: true }));
    machines = stack.use(await TestHome.make());
    stack.defer(async () => {
      for (const vm of cloud.vms.values()) await vm.guest?.stop();
    });
    const secret = { INGOT_SECRET_TARGET_CLOUDSTACK_SIM: `${simulator.keys.apiKey}:${simulator.keys.secretKey}` };
    await home.json(['target', 'add', 'cloudstack', 'sim', '--url', simulator.url, '--serve', '127.0.0.1', '--offering', 'small', '--replace'], secret);
  });

  afterAll(() => stack.disposeAsync());

  async function inside(name: string, command: string): Promise<string> {
    const { exitCode, stdout, stderr } = await home.ingot(['vm', 'exec', name, ...on, '--timeout', '900', '--', 'sh', '-c', command]);
    expect(exitCode, stderr).toBe(0);
    return stdout.trim();
  }

  const SHADOW =
    'cloud-init status --wait >/dev/null; systemctl is-active --wait ingot-cloudstack-password >/dev/null; sudo -n getent shadow debian | cut -d: -f2';

  test.each(['virtual router', 'ConfigDrive'])('told by a %s: registered, ready, deployed, logged in to, its password reset, destroyed', async (teller) => {
    cloud.boot = qemuBoot({ folder: machines.root, home: home.root, router: teller === 'ConfigDrive' ? undefined : router });
    const published = await home.json(['publish', 'debian-12-cloudstack', '--to', 'cloudstack:sim', '--no-ssh', '--unproven', '--yes']);
    expect(published).toMatchObject({ state: 'current' });
    await home.json(['vm', 'create', 'web', '--image', 'debian-12-cloudstack', ...on, '--disk', '6GiB']);
    const [hostname, size] = (await inside('web', 'hostname; df --output=size -B1 / | tail -n 1')).split('\n');
    expect(hostname).toBe('web');
    expect(Number(size)).toBeGreaterThan(5 * 2 ** 30);
    const before = await inside('web', SHADOW);
    expect(before).toMatch(/^\$/);
    expect(await home.json(['vm', 'stop', 'web', '--force', ...on])).toMatchObject({ result: 'forced' });
    // As the button in the web interface does.
    for (const vm of cloud.vms.values()) vm.password = 'another1';
    await home.json(['vm', 'start', 'web', ...on]);
    const after = await inside('web', SHADOW);
    expect(after).toMatch(/^\$/);
    expect(after).not.toBe(before);
    await home.json(['vm', 'delete', 'web', '--force', ...on]);
    expect(await home.json(['vm', 'list', ...on])).toEqual([]);
    expect(simulator.wrong).toEqual([]);
  });
});
