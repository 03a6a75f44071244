import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realHost } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath } from '../../base/types.ts';
import { guestFiles, type GuestFiles } from './guest-spec.ts';
import { attachGuest } from './guest.ts';
import { launch } from './launch.ts';
import { endQemu, runningQemu } from './qemu-process.ts';

const FAKE_QEMU = fileURLToPath(new URL('../../../tests/support/fake-qemu.ts', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../../../tests/support/launch-and-wait.ts', import.meta.url));
const host = realHost();
let files: GuestFiles;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'launch-'));
  files = guestFiles(hostPath(folder));
});
afterEach(async () => {
  const pid = await runningQemu(host, files.pid);
  if (pid !== undefined) await endQemu(host, files.pid, pid);
  await rm(folder, { recursive: true });
});

function qemu(mode: 'good' | 'deaf' | 'fails'): Argv {
  return [process.execPath, FAKE_QEMU, files.qmp, mode, '-pidfile', files.pid];
}

/** The machine of a QEMU that was started before, as another command finds it. */
async function attached() {
  const ssh = { port: 1, user: 'debian', key: files.pid, knownHosts: files.pid };
  const accelerator = { kind: 'tcg', proven: true, reason: 'a test' } as const;
  const shape = { arch: 'amd64', firmware: 'bios', accelerator, cpus: 1, memory: 2 ** 20, disks: [], seed: undefined, mac: '', ssh } as const;
  const guest = await attachGuest(host, { name: 'web', id: '', folder: hostPath(folder), ...shape });
  if (guest === undefined) throw new Error('it does not run');
  return guest;
}

describe('starting', () => {
  test.each(['process', 'detached'] as const)('%s: returns when the guest runs, with its process', async (lifetime) => {
    const { pid } = await launch(host, files, qemu('good'), lifetime);
    expect(await runningQemu(host, files.pid)).toBe(pid);
  });

  test.each(['process', 'detached'] as const)('%s: a QEMU that fails brings its own words', async (lifetime) => {
    await expect(launch(host, files, qemu('fails'), lifetime)).rejects.toMatchObject({
      code: 'qemu-failed',
      message: 'QEMU did not start: -accel kvm: failed to initialize kvm: Permission denied',
      detail: expect.stringContaining('-pidfile'),
    });
  });

  test('a program that is not there is an error with a remedy', async () => {
    await expect(launch(host, files, ['qemu-system-none', '-pidfile', files.pid], 'detached')).rejects.toMatchObject({
      code: 'qemu-failed',
      hint: expect.stringContaining('ingot setup'),
    });
  });
});

describe('the end of the process that started it', () => {
  /** Runs the launcher, kills it with -9 once QEMU runs, and tells whether QEMU still runs soon after. */
  async function survives(lifetime: 'process' | 'detached'): Promise<boolean> {
    const parent = spawn(process.execPath, [LAUNCHER, folder, lifetime, FAKE_QEMU], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(await new Promise<string>((resolve) => parent.stdout.once('data', (data) => resolve(String(data)))));
    expect(await runningQemu(host, files.pid)).toBe(pid);
    const gone = new Promise((resolve) => parent.once('exit', resolve));
    parent.kill('SIGKILL');
    await gone;
    for (let waited = 0; waited < 50 && (await runningQemu(host, files.pid)) !== undefined; waited++) {
      if (lifetime === 'detached' && waited === 5) break;
      await host.clock.sleep(0.05);
    }
    return (await runningQemu(host, files.pid)) !== undefined;
  }

  test.runIf(process.platform === 'linux')('ends a throw-away guest, by kill -9 too', async () => {
    expect(await survives('process')).toBe(false);
  });

  test('does not end a VM', async () => {
    expect(await survives('detached')).toBe(true);
  });
});

describe('a running machine, found by another command', () => {
  test('shuts down when asked', async () => {
    await launch(host, files, qemu('good'), 'detached');
    const guest = await attached();
    expect(await guest.powerdown({ timeout: 20 })).toBe(true);
    expect(await attachGuest(host, guest.spec)).toBeUndefined();
    await guest.kill();
  });

  test('is ended when it does not, and says what it ended with', async () => {
    await launch(host, files, qemu('deaf'), 'detached');
    const guest = await attached();
    expect(await guest.powerdown({ timeout: 0.3 })).toBe(false);
    const { ended } = guest;
    await guest.kill();
    expect(await ended).toEqual({ exitCode: undefined, signal: undefined, stderr: '' });
  });

  test('that ended is told from one that cannot be reached', async () => {
    await launch(host, files, qemu('deaf'), 'detached');
    const guest = await attached();
    await host.files.write(files.console, 'Kernel panic - not syncing\r\n');
    await guest.kill();
    await expect(guest.waitForSsh({ limit: 5 })).rejects.toMatchObject({ code: 'qemu-ended', detail: expect.stringContaining('Kernel panic - not syncing') });
  });
});

test('a pid file whose number belongs to another program means nothing', async () => {
  await host.files.write(files.pid, `${process.pid}\n`);
  expect(await runningQemu(host, files.pid)).toBeUndefined();
  await host.files.write(files.pid, 'nonsense');
  expect(await runningQemu(host, files.pid)).toBeUndefined();
});
