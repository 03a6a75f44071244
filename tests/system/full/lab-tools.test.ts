import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANY_EXIT_CODE } from '../../../src/platforms/local/ssh.ts';
import { hostProcesses, type Argv, type CommandResult } from '../../../src/base/process.ts';
import { hostPath } from '../../../src/base/types.ts';
import { withAgent } from '../../../src/platforms/local/agent.ts';
import { guestFiles } from '../../../src/platforms/local/guest-spec.ts';
import { inventorySchema } from '../../../src/platforms/local/inventory.ts';
import { pngSize } from '../../../src/platforms/local/screenshot.ts';
import { vmStatsSchema } from '../../../src/platforms/local/stats.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot();
const ansible = ['/usr/bin/ansible', '/usr/local/bin/ansible'].find((path) => existsSync(path));

describe.skipIf(reason !== undefined)(`tools around a running VM${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;
  const run = (argv: Argv): Promise<CommandResult> => hostProcesses.run(argv, { accept: ANY_EXIT_CODE, env: { HOME: folder } });

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    folder = await mkdtemp(join(tmpdir(), 'lab-tools-'));
    await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    await home.json(['vm', 'create', 'tools', '--image', 'debian-12', '--memory', '640MiB', '--cpus', '1', '--disk', '4GiB']);
    await home.json(['vm', 'wait', 'tools', '--timeout', '900']);
  });

  afterAll(async () => {
    await home.ingot(['vm', 'delete', 'tools', '--force']);
    await rm(folder, { recursive: true });
    expect((await traces(home.root)).filter((trace) => trace.includes('vms/tools'))).toEqual([]);
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  test('cloud-init, a port and a command are waited for, and what never comes is told', async () => {
    expect(await home.json(['vm', 'wait', 'tools', '--for', 'cloud-init'])).toMatchObject({ for: 'cloud-init' });
    expect(await home.json(['vm', 'wait', 'tools', '--port', '22'])).toMatchObject({ for: 'port' });
    const waited = await home.ingot(['vm', 'wait', 'tools', '--json', '--', 'test', '-e', '/etc/hosts']);
    expect(JSON.parse(waited.stdout)).toMatchObject({ for: 'command' });
    const { exitCode, stderr } = await home.ingot(['vm', 'wait', 'tools', '--port', '81', '--timeout', '10']);
    expect(exitCode).toBe(10);
    expect(stderr).toContain('in vain for port 81 of tools');
    expect(stderr).toContain('The end of the console:');
  });

  test('a folder goes in and comes out as it was', async () => {
    const site = join(folder, 'a site');
    await mkdir(join(site, 'sub:x'), { recursive: true });
    const odd = `it's [1]*.txt`;
    await writeFile(join(site, 'sub:x', odd), 'hello\n', { mode: 0o640 });
    await writeFile(join(site, 'run'), '#!/bin/sh\n', { mode: 0o755 });
    await home.json(['vm', 'copy', site, 'tools:/tmp']);
    await home.json(['vm', 'copy', `tools:/tmp/a site`, join(folder, 'back')]);
    await home.json(['vm', 'copy', `tools:/tmp/a site/sub:x/${odd}`, folder]);
    for (const path of [join(folder, odd), join(folder, 'back', 'sub:x', odd)]) {
      expect(await readFile(path, 'utf8')).toBe('hello\n');
      expect((await stat(path)).mode & 0o777).toBe(0o640);
    }
    expect((await stat(join(folder, 'back', 'run'))).mode & 0o777).toBe(0o755);
    for (const [from, code] of [
      ['tools:/nope', 3],
      ['tools:/etc/shadow', 9],
    ] as const)
      expect((await home.ingot(['vm', 'copy', from, folder])).exitCode).toBe(code);
  });

  test('its screen is a picture', async () => {
    const file = join(folder, 'screen.png');
    const said = await home.json(['vm', 'screenshot', 'tools', file]);
    expect(said).toMatchObject(pngSize(await readFile(file)));
  });

  test('ssh reaches it with nothing but the configuration', async () => {
    const config = join(folder, 'ssh.conf');
    await writeFile(config, (await home.ingot(['vm', 'ssh-config', 'tools'])).stdout);
    expect((await run(['ssh', '-F', config, 'tools', 'hostname'])).stdout).toBe('tools\n');
  });

  test.skipIf(ansible === undefined)(`Ansible reaches it by the inventory${ansible === undefined ? ' (skipped: there is no ansible)' : ''}`, async () => {
    const inventory = join(folder, 'inventory.json');
    const content = await home.json(['vm', 'inventory', 'tools', '--ansible']);
    expect(inventorySchema.parse(content)).toEqual(content);
    await writeFile(inventory, JSON.stringify(content));
    const { stdout, exitCode } = await run([ansible ?? '', '-i', inventory, 'image_debian_12', '-m', 'ping']);
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('pong') });
  });

  test('what it uses is told by its QEMU and by itself', async () => {
    const [stats] = vmStatsSchema.array().parse(await home.json(['vm', 'stats', 'tools']));
    expect(stats).toMatchObject({ state: 'running', cpu: expect.any(Number), network: { received: expect.any(Number) } });
    expect(stats?.disk?.read).toBeGreaterThan(2 ** 20);
    expect(stats?.memory.used).toBeLessThan(640 * 2 ** 20);
  });

  test('its agent freezes and thaws filesystems, and runs programs', async () => {
    const { host } = await home.context();
    const socket = guestFiles(hostPath(join(home.root, 'vms', 'tools'))).agent;
    await withAgent(
      host,
      socket,
      async (agent) => {
        const result = await agent.run(['/bin/sh', '-c', 'cat; id -u >&2; exit 3'], { input: 'hällo', timeout: 120 });
        expect(result).toEqual({ exitCode: 3, stdout: 'hällo', stderr: '0\n' });
        expect(await agent.freeze()).toBeGreaterThan(0);
        expect(await agent.thaw()).toBeGreaterThan(0);
      },
      { seconds: 60 },
    );
  });

  test('waiting ends when the machine ends', async () => {
    const waiting = home.ingot(['vm', 'wait', 'tools', '--port', '81', '--timeout', '600']);
    await home.json(['vm', 'stop', 'tools', '--force']);
    const { exitCode, stderr } = await waiting;
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/qemu-ended|vm-not-running/);
  });
});
